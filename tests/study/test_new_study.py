"""From anybody's dataset to a study: what is checked, what is written, what is refused."""

import json
import shutil
import subprocess
import sys

import pytest
from mmengine.config import Config
from PIL import Image

from fzmm.errors import UserError
from fzmm.paths import ROOT
from fzmm.study.data_amounts import name_amounts
from fzmm.study.new_study import new_study
from fzmm.study.study_options import StudyOptions
from fzmm.sweep.training.training_command import training_environment
from tests.study.edited import edit


def make(data, tmp_path, **options):
    folders = dict(configs_dir=tmp_path / "configs", data_dir=tmp_path / "subsets")
    return new_study(StudyOptions("mine", **data, **folders, **options))


def test_a_study_has_the_recipes_arithmetic_and_short_files(data, tmp_path):
    study = make(data, tmp_path, gpus=2, epochs=26, fractions=[1, 0.5], variations=2)
    assert len(study.configs.runs) == 18
    run = tmp_path / "configs/mine/mine50-2_frozen3.py"
    assert len([line for line in run.read_text().splitlines() if line]) == 2
    images = study.report.train.images_with_boxes
    cfg = Config.fromfile(run)
    assert cfg.train_cfg.max_iters == 26 * (images // 4)
    assert cfg.param_scheduler[1].milestones == [16 * (images // 4), 22 * (images // 4)]
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(0.01 * 4 / 8)
    assert cfg.auto_scale_lr.base_batch_size == 4
    assert cfg.study == dict(dataset="mine", data_amount="mine50-2", fraction=0.5)
    assert cfg.model.backbone.frozen_stages == 3
    # 128 x 128 pixels, enlarged as COCO's 480 are to 800
    assert cfg.train_dataloader.dataset.pipeline[2].scale == (355, 213)
    whole = Config.fromfile(tmp_path / "configs/mine/mine100_unfrozen.py")
    assert whole.train_cfg.max_iters == cfg.train_cfg.max_iters
    halves = [json.loads(study.subsets[f"mine50-{i}"].read_text()) for i in (1, 2)]
    ids = [{image["id"] for image in half["images"]} for half in halves]
    assert len(ids[0]) == len(ids[1]) == 6 and not ids[0] & ids[1]


def test_the_same_call_again_changes_nothing_and_another_is_refused(data, tmp_path):
    first = make(data, tmp_path, fractions=[1, 0.5], variations=1, frozen=[-1])
    before = {path: path.read_bytes() for path in first.configs.files}
    make(data, tmp_path, fractions=[1, 0.5], variations=1, frozen=[-1])
    assert before == {path: path.read_bytes() for path in first.configs.files}
    with pytest.raises(UserError, match="is there already and differs; pass --force"):
        make(data, tmp_path, fractions=[1, 0.5], variations=1, epochs=12, frozen=[-1])
    make(data, tmp_path, fractions=[1, 0.5], variations=1, epochs=12, frozen=[-1], force=True)


def test_validation_losses_are_logged_unless_they_are_left_out(data, tmp_path):
    study = make(data, tmp_path, fractions=[1], frozen=[-1])
    hooks = Config.fromfile(study.configs.runs[0]).default_hooks
    assert hooks.val_loss == dict(type="ValidationLossHook")
    study = make(data, tmp_path, fractions=[1], frozen=[-1], no_val_loss=True, force=True)
    assert "val_loss" not in Config.fromfile(study.configs.runs[0]).default_hooks
    text = (tmp_path / "configs/mine/_base_/mine100.py").read_text()
    assert "--no-val-loss" in text and "--no-val-loss True" not in text


def test_the_smallest_fraction_is_varied_as_in_the_thesis():
    assert [name for name, _ in name_amounts("coco", [1, 0.5, 0.25], 3)] == [
        "coco100",
        "coco50",
        "coco25-1",
        "coco25-2",
        "coco25-3",
    ]
    assert name_amounts("a", [0.125], 1) == [("a12p5", 0.125)]
    for fractions, variations, reason in [
        ([1, 0.5], 3, "at most 2 that share none"),
        ([0], 1, "above 0"),
        ([1.5], 1, "at most 1"),
        ([0.5, 0.5], 1, "given twice"),
        ([1], 0, "at least 1"),
    ]:
        with pytest.raises(UserError, match=reason):
            name_amounts("a", fractions, variations)


def test_an_installed_packages_bases_are_named_as_such(data, tmp_path, monkeypatch):
    monkeypatch.setattr("fzmm.study.study_configs.ROOT", tmp_path)  # not the clone of the bases
    study = make(data, tmp_path, fractions=[1], frozen=[4])
    assert '_base_ = "fzmm::_base_/coco100.py"' in next(iter(study.configs.files.values()))
    assert Config.fromfile(study.configs.runs[0]).model.type == "FasterRCNN"


def spoil(name):
    return lambda function: SPOILED.__setitem__(name, function)


SPOILED = {}


@spoil("the categories of the two files differ: .*instances_train.json alone has 'digit 9'")
def _(data):
    edit(data["val_ann"], lambda coco: coco["categories"][9].update(name="nine"))


@spoil("categories stand in another order")
def _(data):
    edit(data["val_ann"], lambda coco: coco["categories"].reverse())


@spoil("2 categories are called 'digit 1'")
def _(data):
    edit(data["train_ann"], lambda coco: coco["categories"][0].update(name="digit 1"))


@spoil("000003.png: no such image; 1 of 12 images")
def _(data):
    (data["train_images"] / "000003.png").unlink()


@spoil("000002.png: cannot be opened as an image")
def _(data):
    path = data["val_images"] / "000002.png"
    path.write_bytes(path.read_bytes()[:400])


@spoil("1 of 6 validation images are in training too: .*000001.png is .*000005.png")
def _(data):
    shutil.copy(data["train_images"] / "000005.png", data["val_images"] / "000001.png")


@spoil("6 of 6 validation images are in training too")
def _(data):
    data.update(val_images=data["train_images"])


@spoil("no such folder")
def _(data):
    data.update(train_images=data["train_images"] / "none")


@spoil("holds no box")
def _(data):
    edit(data["val_ann"], lambda coco: coco.update(annotations=[]))


@spoil(r"images\[0\] has no `file_name`")
def _(data):
    edit(data["train_ann"], lambda coco: coco["images"][0].pop("file_name"))


@pytest.mark.parametrize("reason", SPOILED)
def test_bad_data_is_refused_with_the_place(reason, data, tmp_path):
    SPOILED[reason](data)
    with pytest.raises(UserError, match=reason):
        make(data, tmp_path)
    assert not (tmp_path / "configs").exists() and not (tmp_path / "subsets").exists()


def test_odd_data_is_noted(data, tmp_path):
    shutil.copy(data["train_images"] / "000005.png", data["val_images"] / "000001.png")
    Image.new("RGB", (64, 128)).save(data["train_images"] / "000001.png")
    edit(data["val_ann"], lambda coco: coco["annotations"].__delitem__(slice(1, None)))
    notes = "\n".join(make(data, tmp_path, fractions=[1], frozen=[2], allow_leak=True).report.notes)
    assert "1 of 6 validation images are in training too" in notes
    assert "000001.png is 64 x 128, not 128 x 128" in notes
    assert "has no box in validation" in notes


def test_names_and_options_that_do_not_fit_are_refused(data, tmp_path):
    for options, reason in [
        (dict(frozen=[5]), "--frozen 5"),
        (dict(epochs=0), "--epochs 0"),
        (dict(base="none.py"), "--base none.py: no such config"),
        (dict(base="mmdet::none/none.py"), "cannot be read"),
        (dict(base="mmdet::regnet/retinanet_regnetx-1.6GF_fpn_1x_coco.py", depth=18), "for ResNet"),
    ]:
        with pytest.raises(UserError, match=reason):
            make(data, tmp_path, **options)
    with pytest.raises(UserError, match="--name a b"):
        StudyOptions("a b", **data)


def test_the_command_prints_what_it_found_and_the_cost(data, tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "tools/new_study.py", "--name", "mine", "--depth", "18"),
            *("--train-ann", data["train_ann"], "--val-ann", data["val_ann"]),
            *("--train-images", data["train_images"], "--val-images", data["val_images"]),
            *("--configs-dir", tmp_path / "configs", "--data-dir", tmp_path / "subsets"),
            *("--fractions", "1", "--frozen", "-1", "4", "--scale", "96", "64"),
            *("--cost-steps", "1"),
        ],
        cwd=ROOT,
        env=training_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for line in (
        "training:   12 images",
        "no validation image is in training",
        "digit 0",
        "cost:       2 runs,",
        "by frozen_stages",
        "tools/sweep.py",
    ):
        assert line in done.stdout
