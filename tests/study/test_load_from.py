"""A study that starts from a whole detector: what is loaded, what is new, what is refused."""

import functools
import http.server
import os
import subprocess
import sys
import threading
import urllib.request

import pytest
import torch
from mmengine.config import Config

from fzmm.detector_config.freezing import build_module, register_modules
from fzmm.engine.runner.prepare import load_config
from fzmm.engine.runner.train_detector import build_runner
from fzmm.errors import UserError
from fzmm.study.new_study import new_study
from fzmm.study.study_options import StudyOptions
from fzmm.utils.checkpoint_source import checkpoint_address
from fzmm.utils.files import file_sha256

NAME = "mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco"
BASE = """_base_ = "mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"
model = dict(
    backbone=dict(depth={depth}, base_channels=16),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=16),
    rpn_head=dict(in_channels=16, feat_channels=16),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=16),
        bbox_head=dict(in_channels=16, fc_out_channels=32),
    ),
)
"""
NEW = {
    f"roi_head.bbox_head.{name}.{part}"
    for name in ("fc_cls", "fc_reg")
    for part in ("weight", "bias")
}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """Configs of a small Faster R-CNN of 80 classes on ResNet-18 and ResNet-34."""
    folder = tmp_path_factory.mktemp("bases")
    for depth in (18, 34):
        (folder / f"r{depth}.py").write_text(BASE.format(depth=depth))
    return folder


def weights_of(base, seed=0):
    register_modules()
    torch.manual_seed(seed)
    return build_module(Config.fromfile(base).model.to_dict(), on_meta=False).state_dict()


@pytest.fixture(scope="module")
def checkpoint(bases):
    path = bases / "detector.pth"
    torch.save(dict(meta=dict(epoch=12), state_dict=weights_of(bases / "r18.py")), path)
    return path


@pytest.fixture
def make(bases, tiny_data, tmp_path):
    def make(load_from, **options):
        folders = dict(configs_dir=tmp_path / "configs", data_dir=tmp_path / "data")
        options = dict(fractions=[1], frozen=[-1], base=str(bases / "r18.py"), gpus=1) | options
        options = StudyOptions("mine", **tiny_data, **folders, load_from=str(load_from), **options)
        return new_study(options)

    return make


def loaded_model(config, work_dir):
    """Return a run's model as its training begins."""
    cfg = load_config(str(config), str(work_dir))
    runner = build_runner(cfg)
    runner.model.init_weights()
    fresh = {name: value.clone() for name, value in runner.model.state_dict().items()}
    runner.load_or_resume()
    return fresh, runner.model.state_dict()


def test_shared_weights_are_equal_and_the_head_is_new(make, checkpoint, tmp_path):
    study = make(checkpoint, frozen=[-1, 2], arms=["lr"])
    theirs = torch.load(checkpoint)["state_dict"]
    assert len(study.configs.runs) == 3
    for path in study.configs.runs:
        cfg = Config.fromfile(path)
        assert cfg.load_from == str(checkpoint)
        assert cfg.model.backbone.init_cfg is None  # ImageNet's weights are not needed
        assert cfg.study.load_from_sha256 == file_sha256(checkpoint)
        fresh, ours = loaded_model(path, tmp_path / path.stem)
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            if name in NEW:
                assert torch.equal(value, fresh[name]) and value.shape != theirs[name].shape
            else:
                assert torch.equal(value, theirs[name]), name
    weights = study.detector.start.weights
    assert weights.other_shape.keys() == NEW
    assert weights.other_shape["roi_head.bbox_head.fc_cls.weight"] == ((81, 32), (11, 32))
    assert weights.loaded == len(theirs) - 4 and not weights.only_in_checkpoint
    notes = " ".join(study.configs.notes)
    assert f"(sha256 {file_sha256(checkpoint)[:8]})" in notes
    assert "roi_head.bbox_head.fc_cls.weight (81, 32) there, (11, 32) here" in notes
    header = (tmp_path / "configs/mine/_base_/mine100.py").read_text().replace("\n#    ", "")
    assert f"--load-from {checkpoint}" in header


def test_parts_that_the_detector_does_not_have_are_left_out(make, checkpoint, bases):
    saved = torch.load(checkpoint)
    extra = {f"roi_head.mask_head.convs.{i}.weight": torch.zeros(2) for i in range(3)}
    torch.save(
        {f"module.{k}": v for k, v in (saved["state_dict"] | extra).items()}, bases / "m.pth"
    )
    notes = make(bases / "m.pth").configs.notes
    assert any("no such part: roi_head.mask_head (3)" in note for note in notes)


def test_heads_of_as_many_classes_are_loaded_and_told(make, bases):
    cfg = Config.fromfile(bases / "r18.py").model.to_dict()
    cfg["roi_head"]["bbox_head"]["num_classes"] = 10
    register_modules()
    torch.save(build_module(cfg, on_meta=False).state_dict(), bases / "ten.pth")
    study = make(bases / "ten.pth")
    assert study.detector.start.weights.loaded == study.detector.start.weights.tensors
    assert any("do they mean the same classes?" in note for note in study.configs.notes)


class Evil:
    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return os.mkdir, (self.trace,)


def spoiled(kind, path, checkpoint, bases):
    """Write a checkpoint that no study can start from."""
    state = torch.load(checkpoint)["state_dict"]
    if kind == "damaged":
        content = bytearray(checkpoint.read_bytes())
        place = content.find(state["backbone.layer4.0.conv1.weight"].numpy().tobytes()[:64])
        content[place + 5] ^= 0xFF
        path.write_bytes(content)
    elif kind == "short":
        path.write_bytes(checkpoint.read_bytes()[:-1000])
    elif kind == "text":
        path.write_text("no checkpoint")
    elif kind == "code":
        torch.save(dict(state_dict=state, meta=Evil(path.parent / "trace")), path)
    elif kind == "backbone":
        names = {k.removeprefix("backbone."): v for k, v in state.items() if "backbone." in k}
        torch.save(names, path)
    elif kind == "other":
        torch.save(weights_of(bases / "r34.py"), path)
    elif kind == "nan":
        state["neck.fpn_convs.0.conv.bias"][0] = float("nan")
        torch.save(dict(state_dict=state), path)
    elif kind == "folder":
        path.mkdir()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("damaged", "damaged at .*; get it anew"),
        ("short", "not a readable checkpoint|is damaged"),
        ("text", "is damaged or holds more than data"),
        ("code", "needs the class posix.mkdir, .*; save its weights alone"),
        ("backbone", "holds no weights of a FasterRCNN; .* given by --pretrained"),
        ("nan", "neck.fpn_convs.0.conv.bias holds values that are no numbers"),
        ("folder", "is a folder"),
        ("missing", "no such checkpoint"),
    ],
)
def test_what_no_study_can_start_from_is_refused(kind, reason, make, checkpoint, bases, tmp_path):
    path = tmp_path / "bad.pth"
    spoiled(kind, path, checkpoint, bases)
    with pytest.raises(UserError, match=reason) as refused:
        make(path)
    assert "\n" not in str(refused.value) and str(refused.value).startswith("--load-from")
    assert not (tmp_path / "configs").exists() and not (tmp_path / "trace").exists()


def test_another_detectors_checkpoint_is_refused_in_one_line(
    make, checkpoint, bases, tiny_data, tmp_path
):
    with pytest.raises(UserError, match=r"of another detector, backbone.layer1.2.* and \d+ more"):
        make(checkpoint, base=str(bases / "r34.py"))
    other = torch.load(checkpoint)["state_dict"]
    other["rpn_head.rpn_conv.weight"] = torch.zeros(8, 16, 3, 3)
    torch.save(other, tmp_path / "other.pth")
    options = [f"--{key.replace('_', '-')}={value}" for key, value in tiny_data.items()]
    done = subprocess.run(
        [sys.executable, "-m", "fzmm", "new-study", "--name", "mine", *options]
        + ["--base", str(bases / "r18.py"), "--load-from", str(tmp_path / "other.pth")]
        + ["--configs-dir", str(tmp_path / "configs")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and not (tmp_path / "configs").exists()
    (line,) = done.stderr.strip().splitlines()
    assert "its rpn_head.rpn_conv.weight has the shape (8, 16, 3, 3), here (16, 16, 3, 3)" in line


def test_pretrained_weights_of_the_backbone_are_one_too_many(tiny_data):
    with pytest.raises(UserError, match="--pretrained: --load-from brings"):
        StudyOptions("mine", **tiny_data, load_from="a.pth", pretrained="none")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Let torch keep what it downloads in a folder of the test."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    monkeypatch.setattr(urllib.request, "_opener", None)  # which keeps the proxies of its first use
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "hub/checkpoints"


def test_mmdetections_names_are_those_of_its_model_index(make, hub, monkeypatch):
    address = checkpoint_address(NAME, "--load-from")
    assert address.endswith("/faster_rcnn_r50_fpn_1x_coco_20200130-047c8118.pth")
    monkeypatch.delenv("no_proxy")
    for name in ("https_proxy", "http_proxy"):  # nobody answers there
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(
        UserError, match="cannot be downloaded .*; download it elsewhere"
    ) as refused:
        make(NAME)
    assert "\n" not in str(refused.value) and address in str(refused.value)
    assert not list(hub.glob("*"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mmdet::faster_rcnn/nothing", "cannot be read"),
        ("mmdet::faster_rcnn/faster-rcnn_r50-caffe_fpn_1x_coco", "trained on images with mean"),
        ("surely_no_package::a/b.py", "surely_no_package is not installed here"),
        ("s3://bucket/a.pth", "give a file, https"),
    ],
)
def test_names_that_lead_nowhere_are_refused(name, reason, make):
    with pytest.raises(UserError, match=reason) as refused:
        make(name)
    assert "\n" not in str(refused.value)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def address(bases):
    """Where a server hands out the files of the bases' folder."""
    handler = functools.partial(Quiet, directory=str(bases))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_checkpoint_from_the_network(make, checkpoint, address, hub, tmp_path):
    study = make(f"{address}/detector.pth")
    cfg = Config.fromfile(study.configs.runs[0])
    assert cfg.load_from == f"{address}/detector.pth"
    assert cfg.study.load_from_sha256 == file_sha256(checkpoint)
    _, ours = loaded_model(study.configs.runs[0], tmp_path / "run")
    name = "backbone.layer4.0.conv1.weight"
    assert torch.equal(ours[name], torch.load(checkpoint)["state_dict"][name])
    wrong = checkpoint.with_name("detector-00000000.pth")
    wrong.write_bytes(checkpoint.read_bytes())
    with pytest.raises(UserError, match="invalid hash value"):
        make(f"{address}/{wrong.name}", force=True)
    with pytest.raises(UserError, match="File not found"):
        make(f"{address}/nothing.pth", force=True)
    assert [path.name for path in hub.iterdir()] == ["detector.pth"]
