"""What the hooks log and keep, in real trainings."""

import json
import math
import time

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import HOOKS
from mmengine.runner import Runner

import fzmm.register  # noqa: F401
from tests.engine.helpers import assert_same_weights, losses, rows, write_dataset

NAMES = ("bbox_mAP", "bbox_mAP_50", "bbox_mAP_75", "bbox_mAP_s", "bbox_mAP_m", "bbox_mAP_l")
# with rates at which the tiny model finds something
LEARNING = (
    "train_cfg = dict(max_iters=60, val_interval=30)",
    "param_scheduler = []",
    "optim_wrapper = dict(optimizer=dict(lr=0.05))",
    "default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=60))",
)


@pytest.fixture(scope="module")
def learned(training_server, tiny, tmp_path_factory):
    """A training that has learned something, its config and a work directory without the hook."""
    from tests.engine.conftest import write_config
    from tests.engine.helpers import Training

    folder = tmp_path_factory.mktemp("learned")
    sample = "default_hooks = dict(train_split=dict(num_images=10), logger=dict(interval=10))"
    path = write_config(folder, tiny, *LEARNING[:-1], sample)
    Training(training_server, path, folder / "with").wait()
    off = sample.replace("dict(num_images=10)", "None")
    plain = write_config(folder, tiny, *LEARNING[:-1], off, name="plain")
    Training(training_server, plain, folder / "without").wait()
    return folder


def test_train_split_is_in_the_validation_row(learned):
    with_hook = [row for row in rows(learned / "with") if "coco/bbox_mAP" in row]
    assert [row["step"] for row in with_hook] == [30, 60]
    for row in with_hook:
        assert {f"train_split/{name}" for name in NAMES} <= row.keys()
        assert {f"coco/{name}" for name in NAMES} <= row.keys()
    log = next((learned / "with").glob("*/*.log")).read_text()
    assert sum("train_split/bbox_mAP:" in line for line in log.splitlines()) == 2
    assert with_hook[-1]["train_split/bbox_mAP_50"] > 0.01  # it compares something, below


def test_training_is_the_same_without_it(learned):
    assert losses(learned / "with") == losses(learned / "without")
    best = [next((learned / name).glob("best_*.pth")) for name in ("with", "without")]
    assert best[0].name == best[1].name
    assert_same_weights(learned / "with/iter_60.pth", learned / "without/iter_60.pth")
    assert not any("train_split/bbox_mAP" in row for row in rows(learned / "without"))


def test_train_split_equals_a_test_on_the_same_file(learned, tmp_path):
    sample = learned / "with/train_split/instances.json"
    assert len(json.loads(sample.read_text())["images"]) == 10
    cfg = Config.fromfile(learned / "tiny.py")
    cfg.work_dir = str(tmp_path)
    cfg.load_from = str(learned / "with/iter_60.pth")
    cfg.test_dataloader.dataset.ann_file = str(sample)
    cfg.test_dataloader.dataset.data_prefix.img = "train/"
    cfg.test_evaluator.ann_file = str(sample)
    metrics = Runner.from_cfg(cfg).test()
    logged = rows(learned / "with")[-1]
    for name in NAMES:
        assert logged[f"train_split/{name}"] == metrics[f"coco/{name}"]


def test_train_split_value_with_two_processes(config, train, tmp_path):
    """Each n-th validation and the last; nine images, which two processes cannot share evenly."""
    lines = [*LEARNING[1:3], "train_cfg = dict(max_iters=20, val_interval=5)"]
    # one by one: images that share a batch are padded to one size, which changes predictions
    lines.append("val_dataloader = dict(batch_size=1)")
    lines.append("test_dataloader = val_dataloader")
    lines.append(
        "default_hooks = dict(train_split=dict(num_images=9, interval=3), logger=dict(interval=5))"
    )
    path = config(*lines)
    train(path, "two", processes=2)
    validations = [row for row in rows(tmp_path / "two") if "coco/bbox_mAP" in row]
    name = "train_split/bbox_mAP"
    measured = {row["step"]: row[name] for row in validations if name in row}
    assert list(measured) == [15, 20]
    cfg = Config.fromfile(path)
    cfg.work_dir = str(tmp_path / "test")
    cfg.load_from = str(tmp_path / "two/iter_20.pth")
    cfg.test_dataloader.dataset.ann_file = str(tmp_path / "two/train_split/instances.json")
    cfg.test_dataloader.dataset.data_prefix.img = "train/"
    cfg.test_evaluator.ann_file = cfg.test_dataloader.dataset.ann_file
    assert Runner.from_cfg(cfg).test()["coco/bbox_mAP"] == measured[20]


class SlowSteps(BaseModel):
    """Each step lasts 10 ms and more."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, inputs, mode="tensor"):
        time.sleep(0.01)
        return dict(loss=self.layer(inputs).square().mean())


class SlowData(torch.utils.data.Dataset):
    """So does loading a batch."""

    def __len__(self):
        return 20

    def __getitem__(self, index):
        time.sleep(0.01)
        return torch.ones(1)


@HOOKS.register_module(force=True)
class SlowHook(Hook):
    """And what other hooks do after a step."""

    def after_train_iter(self, *args, **kwargs):
        time.sleep(0.01)


def test_training_time_is_that_of_the_steps(tmp_path):
    runner = Runner(
        SlowSteps(),
        str(tmp_path),
        dict(dataset=SlowData(), batch_size=1, sampler=dict(type="DefaultSampler", shuffle=False)),
        train_cfg=dict(by_epoch=False, max_iters=20),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
        custom_hooks=[dict(type="TrainingTimeHook"), dict(type="SlowHook")],
        default_hooks=dict(checkpoint=None, logger=dict(type="LoggerHook", interval=10)),
        default_scope="mmengine",
        experiment_name=tmp_path.name,
        visualizer=dict(type="Visualizer", vis_backends=[dict(type="LocalVisBackend")]),
    )
    start = time.perf_counter()
    runner.train()
    whole = time.perf_counter() - start
    total = runner.message_hub.get_info("train_time")
    # however slow the machine: 20 steps of 10 ms are in it, 20 times 10 ms of data and hooks not
    assert 20 * 0.01 <= total <= whole - 2 * 20 * 0.01


def test_training_time_is_logged(learned):
    train_rows = [row for row in rows(learned / "with") if "loss" in row]
    total = train_rows[-1]["train_time"]
    validation = [row for row in rows(learned / "with") if "coco/bbox_mAP" in row][-1]
    assert validation["train_time"] == total
    times = [row["train_time"] for row in train_rows]
    assert sorted(times) == times
    assert times[0] > 0
    log = next((learned / "with").glob("*/*.log")).read_text()
    assert log.count("parameters: ") == 1
    assert f"training time: {total:,.1f} s" in log


def test_provenance(learned):
    record = json.loads((learned / "with/provenance.json").read_text())
    assert record["schema"] == 1
    assert record["frozen_stages"] == 1
    assert record["seed"] == 3
    assert record["study"] == dict(dataset="tiny", data_amount="tiny100", fraction=1.0)
    assert (record["train"]["images"], record["train"]["categories"]) == (24, 3)
    assert len(record["val"]["sha256"]) == 64
    assert record["initialisation"] == "scratch"
    assert record["parameters"]["trainable"] > record["parameters"]["frozen"] > 0
    assert (record["finished"], record["stop_reason"]) == (True, None)
    (session,) = record["sessions"]
    assert session["from_iteration"] == 0
    assert session["world_size"] == 1
    assert {"python", "torch", "mmengine", "mmcv", "mmdet", "fzmm"} <= session["versions"].keys()


def test_history_stays_short(config, train, tmp_path):
    lines = ["train_cfg = dict(max_iters=12, val_interval=50)"]
    lines.append("default_hooks = dict(bounded_history=dict(length=7, interval=1))")
    train(config(*lines), "run")
    checkpoint = torch.load(tmp_path / "run/iter_12.pth", weights_only=False)
    scalars = checkpoint["message_hub"]["log_scalars"]
    assert len(scalars["train/loss"].data[0]) == 7


def test_loss_that_is_no_number(config, train, tmp_path):
    lines = ["optim_wrapper = dict(optimizer=dict(lr=1e12), clip_grad=None)"]
    lines.append("default_hooks = dict(checkpoint=dict(interval=1, save_best=None))")
    lines.append("train_cfg = dict(max_iters=12, val_interval=50)")
    out = train(config(*lines), "run", code=2)
    assert "error: the loss is " in out.splitlines()[-1]
    assert "learning rate" in out.splitlines()[-1]
    record = json.loads((tmp_path / "run/provenance.json").read_text())
    assert record["finished"] is False
    assert record["stop_reason"].startswith("the loss is ")
    last = torch.load((tmp_path / "run/last_checkpoint").read_text(), weights_only=False)
    assert math.isfinite(last["message_hub"]["log_scalars"]["train/loss"].data[0][-1])


def test_no_room_for_a_checkpoint(config, train, tmp_path):
    out = train(config(), "run", "--max-file-mb", 2, code=2)
    assert "iter_4.pth cannot be written (File too large" in out.splitlines()[-1]
    assert not list((tmp_path / "run").glob("**/*.pth*"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:700]), "is truncated"),
        (lambda path: path.write_bytes(b""), "is empty"),
    ],
)
def test_image_that_cannot_be_read(damage, message, config, train, tmp_path):
    write_dataset(tmp_path / "data", "train", 8, 0)
    write_dataset(tmp_path / "data", "val", 2, 1)
    damage(tmp_path / "data/train/003.jpg")
    out = train(config(data=tmp_path / "data"), "run", code=2)
    line = out.splitlines()[-1]
    assert line.startswith("error: training image ")
    assert f"train/003.jpg {message}" in line
    assert "continue with --resume" in line


def test_validation_image_that_is_missing(config, train, tmp_path):
    write_dataset(tmp_path / "data", "train", 8, 0)
    write_dataset(tmp_path / "data", "val", 2, 1)
    (tmp_path / "data/val/001.jpg").unlink()
    path = config("val_dataloader = dict(num_workers=1)", data=tmp_path / "data")
    out = train(path, "run", code=2)
    assert "val/001.jpg" in out.splitlines()[-1]
    assert out.splitlines()[-1].startswith("error: ")
    assert (tmp_path / "run/iter_4.pth").exists()
