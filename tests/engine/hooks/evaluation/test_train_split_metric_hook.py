"""The mAP on the training images, in the log and against a test of the same images."""

import json

from mmengine.config import Config
from mmengine.runner import Runner

import fzmm.register  # noqa: F401
from tests.engine.helpers import assert_same_weights, losses, rows
from tests.engine.hooks.conftest import LEARNING

NAMES = ("bbox_mAP", "bbox_mAP_50", "bbox_mAP_75", "bbox_mAP_s", "bbox_mAP_m", "bbox_mAP_l")


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
