"""The record of a run, and what it refuses to continue."""

import json
import shutil

import cv2
import pytest

from tests.engine.helpers import write_dataset


def test_provenance(learned):
    record = json.loads((learned / "with/provenance.json").read_text())
    assert record["schema"] == 1
    assert record["frozen_stages"] == 1
    assert record["seed"] == 3
    assert record["study"] == dict(dataset="tiny", data_amount="tiny100", fraction=1.0)
    assert (record["train"]["images"], record["train"]["categories"]) == (24, 3)
    assert len(record["val"]["sha256"]) == 64
    assert 100 < record["peak_memory_mb"] < 3000  # of a CPU, the resident set
    assert record["initialisation"] == "scratch"
    assert record["parameters"]["trainable"] > record["parameters"]["frozen"] > 0
    assert record["frozen_modules"] == ["backbone.conv1", "backbone.layer1"]
    assert (record["finished"], record["stop_reason"]) == (True, None)
    (session,) = record["sessions"]
    assert session["from_iteration"] == 0
    assert session["world_size"] == 1
    assert {"python", "torch", "mmengine", "mmcv", "mmdet", "fzmm"} <= session["versions"].keys()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "optim_wrapper = dict(optimizer=dict(lr=0.5))",
            "was trained with optim_wrapper.optimizer.lr 0.02, this start has 0.5",
        ),
        ("randomness = dict(seed=4)", "was trained with seed 3, this config has 4"),
        ("train_dataloader = dict(batch_size=1)", "with train_dataloader.batch_size 2, this"),
        (
            "param_scheduler = [dict(type='MultiStepLR', by_epoch=False, milestones=[3])]",
            "was trained with param_scheduler",
        ),
    ],
)
def test_another_recipe_is_not_resumed(line, message, finished_run, config, train, tmp_path):
    """A checkpoint brings its own rate and schedule: the record would say another one."""
    shutil.copytree(finished_run, tmp_path / "run")
    before = (tmp_path / "run/provenance.json").read_bytes()
    out = train(config(line), "run", "--resume", code=2)
    assert message in out.splitlines()[-1]
    assert "Traceback" not in out
    assert (tmp_path / "run/provenance.json").read_bytes() == before
    # the same where only the checkpoint can tell
    shutil.copy(finished_run / "iter_4.pth", tmp_path / "iter_4.pth")
    if "seed" not in line:
        out = train(config(line), "other", "--resume", tmp_path / "iter_4.pth", code=2)
        assert message in out.splitlines()[-1]


def test_a_longer_training_is_told_and_recorded(finished_run, config, train, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    out = train(config("train_cfg = dict(max_iters=6, val_interval=6)"), "run", "--resume")
    assert "resumed with train_cfg.max_iters 6 instead of 5" in out
    assert json.loads((tmp_path / "run/provenance.json").read_text())["max_iters"] == 6


def test_other_pixels_under_the_same_annotations(config, train, tmp_path):
    data = tmp_path / "data"
    write_dataset(data, "train", 8, 0)
    write_dataset(data, "val", 2, 1)
    path = config("train_cfg = dict(max_iters=2, val_interval=9)", data=data)
    train(path, "run")
    images = sorted((data / "train").iterdir())
    for image in images[:1]:
        cv2.imwrite(str(image), 255 - cv2.imread(str(image)))
    out = train(path, "run", "--resume")  # one may have been repaired
    assert "1 of 8 images looked at have changed" in out
    for image in images[1:]:
        cv2.imwrite(str(image), 255 - cv2.imread(str(image)))
    out = train(path, "run", "--resume", code=2)
    assert "was trained with other images" in out.splitlines()[-1]
