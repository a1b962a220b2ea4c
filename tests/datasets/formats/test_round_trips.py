"""Whatever the boxes, a folder of each format gives them back, to the format's own rounding."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fzmm.datasets.formats.read_folder import read_folder
from tests.datasets.formats.folders import (
    boxes_of,
    coco_of,
    write_coco_folder,
    write_image,
    write_voc_folder,
    write_yolo_folder,
)

NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cn", "Zl", "Zp"), exclude_characters="\ufeff"),
    min_size=1,
    max_size=8,
).filter(lambda name: name == name.strip() and name)


@st.composite
def datasets(draw):
    """A COCO object of whole pixels."""
    classes = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    images = {}
    for number in range(draw(st.integers(1, 3))):
        width, height = draw(st.integers(8, 90)), draw(st.integers(8, 90))
        boxes = []
        for _ in range(draw(st.integers(0, 4))):
            x, y = draw(st.integers(0, width - 2)), draw(st.integers(0, height - 2))
            box = (x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y)))
            boxes.append((draw(st.integers(0, len(classes) - 1)), box, 0))
        images[f"i{number}.png"] = ((width, height), boxes)
    images["i0.png"][1].append((0, (0, 0, 5, 5), 0))
    return coco_of(images, classes)


def back(coco, write, images):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, {"train": coco})
        for image in coco["images"]:
            write_image(folder / images / image["file_name"], (image["width"], image["height"]))
        return read_folder(folder).splits["train"].coco


@settings(max_examples=25, deadline=None)
@given(datasets())
def test_coco_and_voc_keep_boxes_to_the_bit(coco):
    assert back(coco, write_coco_folder, "train") == coco
    assert boxes_of(back(coco, write_voc_folder, "JPEGImages")) == boxes_of(coco)


@settings(max_examples=25, deadline=None)
@given(datasets(), st.sampled_from([None, 6]))
def test_yolo_keeps_boxes_to_its_digits(coco, digits):
    def write(folder, parts):
        write_yolo_folder(folder, parts, digits)

    read = boxes_of(back(coco, write, "images/train"))
    # half a digit of the centre and a quarter of the width, of up to 90 pixels
    error = 1e-9 if digits is None else 90 * 0.75e-6
    assert read.keys() == boxes_of(coco).keys()
    for name, boxes in boxes_of(coco).items():
        for ours, theirs in zip(read[name], boxes, strict=True):
            assert ours[0] == theirs[0]
            assert ours[1] == pytest.approx(theirs[1], abs=error)
