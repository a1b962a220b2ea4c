"""Data that is odd or hostile: what becomes of it in a study."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from fzmm.errors import UserError
from fzmm.paths import ROOT
from fzmm.study.dataset.data_check import check_data
from fzmm.study.dataset.decoded_image import decode
from fzmm.study.new_study import new_study
from fzmm.study.study_options import StudyOptions
from fzmm.sweep.training.training_command import training_environment
from tests.study.edited import edit
from tests.study.test_config_code import TEMPLATES

SMALL = dict(fractions=[1], frozen=[4], depth=18, pretrained="none", gpus=1)


def make(data, tmp_path, **options):
    folders = dict(configs_dir=tmp_path / "configs", data_dir=tmp_path / "subsets")
    return new_study(StudyOptions("mine", **data, **folders, **{**SMALL, **options}))


def check(data):
    return check_data(StudyOptions("mine", **data))


def rename_categories(data, names):
    def change(coco):
        for category, name in zip(coco["categories"], names, strict=False):
            category["name"] = name

    for key in ("train_ann", "val_ann"):
        edit(data[key], change)


def test_names_in_the_data_never_run_and_come_back_as_they_are(data, tmp_path, monkeypatch):
    names = [name for name in TEMPLATES if name.isprintable()]
    rename_categories(data, names)
    folder = tmp_path / "{{$X:__import__('os').mkdir('ran')}} {{ fileBasename }}"
    data["train_images"].rename(folder)
    data["train_images"] = folder
    monkeypatch.chdir(tmp_path)
    study = make(data, tmp_path)
    for run in study.configs.runs:
        dataset = Config.fromfile(run).train_dataloader.dataset
        assert dataset.metainfo.classes[: len(names)] == tuple(names)
        assert dataset.data_prefix.img == f"{folder}/"
    assert not os.path.exists("ran")


def test_the_name_of_a_base_stays_a_name(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = tmp_path / "base\nimport os; os.mkdir('ran')  # {{$X:}}.py"
    Config.fromfile(ROOT / "configs/toy/toy100_unfrozen.py").dump(base)
    study = make(data, tmp_path, base=str(base), depth=None)
    assert Config.fromfile(study.configs.runs[0]).model.neck.out_channels == 64
    assert not os.path.exists("ran")


def test_a_third_of_the_images_is_the_same_number_the_next_time(data, tmp_path):
    make(data, tmp_path, fractions=[1, 1 / 3], variations=1)
    study = make(data, tmp_path, fractions=[1, 1 / 3], variations=1)
    assert Config.fromfile(study.configs.runs[1]).study.fraction == 1 / 3


def turn(path, orientation, size=(128, 96)):
    image = Image.new("RGB", size)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(path, format="JPEG", exif=exif)


def resize_first(data, width, height):
    edit(data["train_ann"], lambda coco: coco["images"][0].update(width=width, height=height))
    return (
        data["train_images"] / json.loads(data["train_ann"].read_text())["images"][0]["file_name"]
    )


def test_a_turned_image_is_compared_as_training_loads_it(data):
    path = resize_first(data, 96, 128)
    turn(path, 6)
    assert "EXIF" not in "\n".join(check(data).notes)
    resize_first(data, 128, 96)
    with pytest.raises(
        UserError, match=r"EXIF orientation 6 makes it 96 x 128 when training loads"
    ):
        check(data)


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_an_image_that_is_upside_down_is_noted(orientation, data):
    turn(resize_first(data, 128, 96), orientation)
    assert "upside down or mirrored" in "\n".join(check(data).notes)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_the_one_that_mmdetections_loader_gives(orientation, tmp_path):
    from mmcv.transforms import LoadImageFromFile

    turn(tmp_path / "a.jpg", orientation)
    loaded = LoadImageFromFile()(dict(img_path=str(tmp_path / "a.jpg")))
    assert decode(str(tmp_path / "a.jpg")).loaded == loaded["img_shape"][::-1]


@pytest.mark.parametrize("kind", ["TGA", "PCX", "ICO", "float TIFF"])
def test_a_format_that_training_cannot_open_is_refused(kind, data):
    path = data["train_images"] / "000001.png"
    image = Image.new("RGB", (128, 128))
    if kind == "float TIFF":
        Image.fromarray(np.ones((128, 128), np.float32)).save(path, format="TIFF")
        import cv2

        if cv2.imread(str(path)) is not None:
            pytest.skip("this OpenCV reads floats")
    else:
        image.save(path, format=kind)
    with pytest.raises(UserError, match="000001.png: cannot be opened as an image .*OpenCV"):
        check(data)


def test_a_decompression_bomb_is_refused_before_it_is_unpacked(data):
    path = data["train_images"] / "000001.png"
    Image.new("1", (30_000, 30_000)).save(path)
    with pytest.raises(UserError, match="000001.png: cannot be opened as an image"):
        check(data)


@pytest.mark.parametrize("side", ["width", "height"])
def test_an_image_without_its_size_is_refused_with_the_place(side, data):
    edit(data["train_ann"], lambda coco: coco["images"][2].pop(side))
    with pytest.raises(UserError, match=rf"images\[2\] .* has no `{side}`"):
        check(data)


def outside(annotation):
    annotation["bbox"] = [500, 500, 20, 20]


@pytest.mark.parametrize("spoil", [outside, lambda annotation: annotation.update(ignore=1)])
def test_boxes_that_training_skips_are_not_counted(spoil, data):
    edit(data["train_ann"], lambda coco: [spoil(entry) for entry in coco["annotations"]])
    with pytest.raises(UserError, match="instances_train.json: holds no box"):
        check(data)


def test_boxes_without_iscrowd_and_area_count_as_training_counts_them(data):
    boxes = len(check(data).train.boxes)
    for key in ("train_ann", "val_ann"):
        edit(
            data[key], lambda coco: [a.pop("iscrowd") or a.pop("area") for a in coco["annotations"]]
        )
    assert len(check(data).train.boxes) == boxes > 0


def test_two_spellings_of_a_path_are_one_image(data):
    edit(data["train_ann"], lambda coco: coco["images"][0].update(file_name="./000002.png"))
    with pytest.raises(UserError, match="2 images have the file_name 000002.png"):
        check(data)


def new_study_command(data, tmp_path, *options):
    return subprocess.run(
        [
            *(sys.executable, "tools/new_study.py", "--name", "mine", "--depth", "18"),
            *("--train-ann", data["train_ann"], "--val-ann", data["val_ann"]),
            *("--train-images", data["train_images"], "--val-images", data["val_images"]),
            *("--configs-dir", tmp_path / "configs", "--data-dir", tmp_path / "subsets"),
            *("--fractions", "1", "--frozen", "4", "--cost-steps", "0", *options),
        ],
        cwd=ROOT,
        env=training_environment(),
        capture_output=True,
        text=True,
    )


def test_markup_and_control_characters_in_names_are_shown_as_text(data, tmp_path):
    rename_categories(data, ["[/b]", "[red]x", "\x1b[2Jgone"])
    edit(data["val_ann"], lambda coco: coco["annotations"].__delitem__(slice(1, None)))
    done = new_study_command(data, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "[/b]" in done.stdout and "[red]x" in done.stdout
    assert "\\x1b[2Jgone" in done.stdout and "\x1b[2J" not in done.stdout
    assert "mine100: " in done.stdout


def test_control_characters_in_an_error_are_shown_as_text(data, tmp_path):
    done = new_study_command({**data, "train_ann": tmp_path / "\x1b[2J.json"}, tmp_path)
    assert done.returncode == 2 and "\x1b" not in done.stderr and "\\x1b[2J.json" in done.stderr


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (dict(lr=float("inf")), "--lr inf"),
        (dict(lr=float("nan")), "--lr nan"),
        (dict(epochs=10**30), "--epochs 10+: at most 1,000,000"),
        (dict(gpus=10**12), "--gpus 10+: at most"),
        (dict(scale=(10**8, 100)), "--scale 10+: at most"),
        (dict(scale=(0, 100)), "--scale 0"),
        (dict(frozen=[]), "--frozen: name at least one"),
        (dict(fractions=[]), "--fractions: name at least one"),
        (dict(fractions=[0.333333, 1 / 3]), "one is given twice"),
    ],
)
def test_options_that_cannot_be_are_refused(options, reason, data, tmp_path):
    with pytest.raises(UserError, match=reason):
        make(data, tmp_path, **options)


@pytest.mark.parametrize("name", ["coco", "toy"])
def test_the_names_of_fzmms_own_studies_are_refused(name, data):
    with pytest.raises(UserError, match=f"--name {name}: that is a study of fzmm's own"):
        StudyOptions(name, **data)
