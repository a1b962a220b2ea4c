"""NEU-DET and BCCD, written in each format's layouts, give their boxes back."""

import json
from pathlib import Path

import pytest

from fzmm.datasets.formats.read_folder import read_folder
from tests.datasets.formats.folders import (
    boxes_of,
    write_coco_folder,
    write_voc_folder,
    write_yolo_folder,
)

SHARED = Path(__file__).parents[3] / "../shared/data"


def write_six_decimals(folder, parts):
    write_yolo_folder(folder, parts, digits=6)


def write_roboflow_coco(folder, parts):
    """With the root class that Roboflow puts above the others."""
    for split, coco in parts.items():
        classes = [dict(one, supercategory="all") for one in coco["categories"]]
        root = dict(id=1 + max(one["id"] for one in classes), name="all", supercategory="none")
        exported = dict(coco, categories=[root, *classes])
        (folder / split).mkdir()
        (folder / split / "_annotations.coco.json").write_text(json.dumps(exported))


def write_xml_beside(folder, parts):
    for split, coco in parts.items():
        write_voc_folder(folder / "made", {split: coco})
        (folder / "made/Annotations").rename(folder / split)


def write_text_beside(folder, parts):
    write_yolo_folder(folder / "made", parts)
    for split in parts:
        (folder / "made/labels" / split).rename(folder / split)
    (folder / "classes.txt").write_text("\n".join(c["name"] for c in coco_of(parts)["categories"]))


def coco_of(parts):
    return next(iter(parts.values()))


# Name: writer, where a part's images lie, and by how much a side may be off, in its own length.
LAYOUTS = {
    "COCO": (write_coco_folder, "images/{split}", 0),
    "COCO of Roboflow": (write_roboflow_coco, "{split}", 0),
    "Pascal VOC": (write_voc_folder, "JPEGImages", 0),
    "Pascal VOC beside": (write_xml_beside, "{split}", 0),
    "YOLO": (write_yolo_folder, "images/{split}", 1e-15),
    "YOLO of six decimals": (write_six_decimals, "images/{split}", 0.75e-6),
    "YOLO beside": (write_text_beside, "{split}", 1e-15),
}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real data is not beside the repository")
@pytest.mark.parametrize("data", ["neu-det", "bccd"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_real_boxes_come_back(layout, data, tmp_path):
    write, images, error = LAYOUTS[layout]
    files = sorted((SHARED / data / "annotations").glob("instances_*.json"))
    parts = {path.stem.removeprefix("instances_"): json.loads(path.read_text()) for path in files}
    write(tmp_path, parts)
    for split, coco in parts.items():
        place = tmp_path / images.format(split=split)
        place.mkdir(parents=True, exist_ok=True)
        for image in coco["images"]:
            source = SHARED / data / split / image["file_name"]
            (place / image["file_name"]).symlink_to(source.resolve())

    dataset = read_folder(tmp_path)
    assert dataset.splits.keys() == parts.keys() and len(parts) >= 2
    for split, coco in parts.items():
        side = max(max(image["width"], image["height"]) for image in coco["images"])
        read, written = boxes_of(dataset.splits[split].coco), boxes_of(coco)
        assert read.keys() == written.keys()
        for name, boxes in written.items():
            assert [box[0] for box in read[name]] == [box[0] for box in boxes]
            for ours, theirs in zip(read[name], boxes, strict=True):
                assert ours[1] == pytest.approx(theirs[1], rel=0, abs=error * side)
