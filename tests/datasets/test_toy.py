import hashlib
import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from fzmm.errors import UserError
from fzmm.toy.dataset import CLASSES, IMAGE_SIZE, load_digits, make_crops, write_toy


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    out = tmp_path_factory.mktemp("toy")
    return out, write_toy(out, train=120, val=30)


def digest(folder):
    sums = hashlib.sha256()
    for path in sorted(folder.rglob("*.*")):
        sums.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return sums.hexdigest()


def test_coco_format(toy, capsys):
    out, files = toy
    for split, count in (("train", 120), ("val", 30)):
        coco = COCO(str(files[split]))
        assert len(coco.imgs) == count
        assert [coco.cats[i + 1]["name"] for i in range(10)] == list(CLASSES)
        assert 0 < sum(not coco.getAnnIds(imgIds=i) for i in coco.imgs) < count / 5
        for image in coco.imgs.values():
            assert Image.open(out / split / image["file_name"]).size == (IMAGE_SIZE, IMAGE_SIZE)
        for ann in coco.anns.values():
            x, y, width, height = ann["bbox"]
            assert x >= 0 and y >= 0 and width >= 4 and height >= 4
            assert x + width <= IMAGE_SIZE and y + height <= IMAGE_SIZE
            assert ann["area"] == width * height


def test_classes_follow_zipf(toy):
    annotations = json.loads(toy[1]["train"].read_text())["annotations"]
    counts = Counter(ann["category_id"] for ann in annotations)
    assert set(counts) == set(range(1, 11))
    assert counts[1] > 2 * counts[3] > 2 * counts[9]


def test_same_seed_same_bytes(toy, tmp_path):
    write_toy(tmp_path / "again", train=120, val=30)
    write_toy(tmp_path / "other", train=120, val=30, seed=1)
    assert digest(tmp_path / "again") == digest(toy[0]) != digest(tmp_path / "other")


def test_no_scan_is_used_twice():
    splits = [load_digits(split) for split in ("pretrain", "train", "val")]
    assert sum(len(split.labels) for split in splits) == 1797
    scans = [{image.tobytes() for image in split.images} for split in splits]
    assert len(set.union(*scans)) == sum(map(len, scans))


def test_crops():
    crops, labels = make_crops(40, 32)
    assert crops.shape == (40, 32, 32, 3) and crops.dtype == np.uint8
    assert labels.shape == (40,) and set(labels) <= set(range(10))
    assert crops.std(axis=(1, 2, 3)).min() > 5  # something is painted on each


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        write_toy(tmp_path / "file", train=1, val=1)


def test_starts_without_torch():
    code = "import sys, fzmm.toy.dataset; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
