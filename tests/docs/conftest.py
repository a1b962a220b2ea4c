"""A folder in which every name that a document uses stands for something small and real."""

import functools
import json
import shutil
import signal
import sys

import pytest

from fzmm.paths import ROOT
from fzmm.toy.dataset import IMAGE_SIZE
from tests.analysis.synthetic import write_run
from tests.datasets.formats.folders import (
    coco_of,
    write_coco_folder,
    write_image,
    write_yolo_folder,
)

DATASETS = ("data/neu-det", "cells")
COCO = ("instances_train2017", "instances_val2017", "fz/coco50")
RUNS = (
    (".", "neu100_unfrozen"),
    (".", "neu100_frozen4"),
    (".", "digits100_unfrozen"),
    (".", "cells100_unfrozen"),
    ("demo", "toy100_unfrozen"),
)
BOX = (10, 10, 40, 40)  # of every image but the digits': a choice among alike ones is made at once


@pytest.fixture(scope="session")
def stand_ins(tiny_data, tmp_path_factory):
    """The folder, which each test gets a copy of."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(tiny_data["train_ann"].parents[1], folder / "data/toy")
    for path in DATASETS:
        _write_alike(folder / path)
    for half in ("train", "val"):
        shutil.copytree(folder / "cells" / half, folder / half)
        shutil.copy(folder / f"cells/annotations/instances_{half}.json", folder / f"{half}.json")

    _write_coco(folder)
    _write_unsplit(folder / "unsplit")
    _write_yolo(folder / "yolo")
    for place, name in RUNS:
        write_run(folder / "work_dirs" / place, "coco50", 3, name=name)
    log = folder / "work_dirs/a/20260101_120000/vis_data/scalars.json"
    shutil.copytree(next(folder.glob("work_dirs/neu*/seed0/*/vis_data")), log.parent)

    shutil.copytree(ROOT / "docs/studies", folder / "docs/studies")

    (folder / "configs").mkdir()
    for name in ("_base_", "toy", "fz", "rfcn"):
        (folder / "configs" / name).symlink_to(ROOT / "configs" / name)
    return folder


def _write_alike(folder):
    """A dataset in COCO's layout, of 8 and 4 images that differ in colour only."""
    names = {"train": [f"{n}.png" for n in range(8)], "val": [f"{n}.png" for n in range(8, 12)]}
    size = (IMAGE_SIZE, IMAGE_SIZE)
    for half, files in names.items():
        for file in files:
            write_image(folder / half / file, size, (int(file[:-4]), 0, 0))
    images = {half: {file: (size, [(0, BOX, 0)]) for file in names[half]} for half in names}
    write_coco_folder(folder, {half: coco_of(images[half], ["cell"]) for half in images})


def _write_unsplit(folder):
    """The same in one part, two images of each of eight patients."""
    names = [f"patient{n // 2}_{n % 2}.png" for n in range(16)]
    for number, name in enumerate(names):
        write_image(folder / "train" / name, (IMAGE_SIZE, IMAGE_SIZE), (number, 0, 0))
    images = {name: ((IMAGE_SIZE, IMAGE_SIZE), [(0, BOX, 0)]) for name in names}
    write_coco_folder(folder, {"train": coco_of(images, ["cell"])})


def _write_coco(folder):
    """Files of COCO's 80 classes, with images that are not there."""
    from mmdet.datasets import CocoDataset

    classes = CocoDataset.METAINFO["classes"]
    coco = coco_of({f"{n}.jpg": ((64, 64), [(0, BOX, 0)]) for n in range(240)}, classes)
    for name in COCO:
        path = folder / f"data/coco/annotations/{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(coco))
    shutil.copy(folder / f"data/coco/annotations/{COCO[0]}.json", folder)
    for half in ("train2017", "val2017"):
        (folder / "data/coco" / half).mkdir()


def _write_yolo(folder):
    coco = coco_of({"a.jpg": ((64, 48), [(1, (1, 2, 30, 40), 0)])}, ["cat", "dog"])
    write_yolo_folder(folder, {"train": coco})
    (folder / "data.yaml").unlink()  # the command names the classes
    write_image(folder / "images/train/a.jpg")


@pytest.fixture(scope="session")
def read_once():
    """Let MMEngine parse the list of MMDetection's models once, not for each config it reads."""
    from mmengine.config import utils

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "_get_cfg_metainfo", functools.cache(utils._get_cfg_metainfo))
        yield


@pytest.fixture
def folder(read_once, stand_ins, tmp_path, monkeypatch):
    """A copy of the stand-ins, to work in; commands that run here leave nothing behind."""
    copy = tmp_path / "docs"
    shutil.copytree(stand_ins, copy, symlinks=True)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setattr(sys, "argv", sys.argv)
    handler = signal.getsignal(signal.SIGTERM)
    yield copy
    signal.signal(signal.SIGTERM, handler)
