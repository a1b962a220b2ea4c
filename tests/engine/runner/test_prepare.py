import json

import pytest
from mmengine.config import Config

from fzmm.engine.runner.check_inputs import check_inputs, read_categories
from fzmm.engine.runner.prepare import prepare, total_batch_size
from fzmm.errors import UserError


def change(cfg, options):
    cfg.merge_from_dict(options)
    return cfg


@pytest.fixture
def cfg(config):
    return Config.fromfile(config())


def test_sound_inputs(cfg):
    check_inputs(cfg)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_dataloader.dataset.ann_file": "no.json"}, r"no.json: no such annotation file"),
        ({"val_dataloader.dataset.data_prefix.img": "no/"}, "no/: no such folder of images"),
        (
            {"train_dataloader.dataset.metainfo.classes": ("square", "bar", "dog")},
            r"categories are 3 \(square, bar, dot\).*not in the file: 1 \(dog\)",
        ),
        (
            {"model.roi_head.bbox_head.num_classes": 80},
            r"model.roi_head.bbox_head.num_classes is 80, but .* has 3 classes",
        ),
        (
            {"model.backbone.init_cfg": dict(checkpoint="no/weights.pth", _delete_=True)},
            "no/weights.pth: no such file of pretrained weights",
        ),
    ],
)
def test_wrong_inputs(options, message, cfg):
    with pytest.raises(UserError, match=message) as error:
        check_inputs(change(cfg, options))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("config_file", "fix"),
    [
        (
            "configs/fz/coco50_frozen2.py",
            "data/coco/annotations/fz/coco50.json: .*python tools/make_subsets.py "
            "data/coco/annotations/instances_train2017.json --out-dir data/coco/annotations/fz",
        ),
        ("configs/fz/coco100_unfrozen.py", "instances_train2017.json: .*data/README.md"),
        (
            "configs/toy/toy25_frozen2.py",
            "fz/toy25.json: .*python -m fzmm.toy.dataset, then .* --subset toy25=0.25",
        ),
    ],
)
def test_the_study_s_missing_files(config_file, fix, tmp_path, monkeypatch):
    cfg = Config.fromfile(config_file)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=fix):
        check_inputs(cfg)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ('{"images": [], "categories": [{"id": 1, "name": "a"}], "annotations": [', "not a whole"),
        ("[]", "not a whole COCO file"),
        ('{"images": []}', "not a COCO annotation file"),
        ('{"categories": [{"id": 1}]}', "not a COCO annotation file"),
    ],
)
def test_files_that_are_no_annotation_files(content, message, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        read_categories(str(path))


@pytest.mark.parametrize("first", [True, False])
def test_categories_wherever_they_are(first, tmp_path):
    names = ["a", 'quoted "categories"', "ü"]
    categories = {"categories": [dict(id=i, name=name) for i, name in enumerate(names)]}
    images = {"images": [dict(id=1, file_name="x")], "annotations": []}
    path = tmp_path / "a.json"
    content = categories | images if first else images | categories
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    assert read_categories(str(path)) == names


def test_schedule_options(cfg, monkeypatch, tmp_path):
    cfg.work_dir = str(tmp_path)
    cfg.auto_scale_lr = dict(enable=False, base_batch_size=8)
    cfg.launcher = "pytorch"
    monkeypatch.setenv("WORLD_SIZE", "2")
    cfg.optim_wrapper.accumulative_counts = 4
    assert total_batch_size(cfg) == 16
    prepare(cfg, scale=True, budget=0.5)
    assert cfg.train_cfg.max_iters == 12 / 2 * 0.5
    assert cfg.optim_wrapper.optimizer.lr == 0.04
    cfg.auto_scale_lr = None
    with pytest.raises(UserError, match="--scale-schedule needs auto_scale_lr.base_batch_size"):
        prepare(cfg, scale=True)


def test_resume_without_a_checkpoint_starts(cfg, tmp_path):
    cfg.work_dir = str(tmp_path)
    prepare(cfg, resume="auto")
    assert cfg.resume is False


def test_hooks_that_are_none_are_left_out(cfg, tmp_path):
    cfg.work_dir = str(tmp_path)
    cfg.default_hooks.train_split = None
    cfg.default_hooks.timer = None
    prepare(cfg)
    assert "train_split" not in cfg.default_hooks
    assert cfg.default_hooks.timer is None
