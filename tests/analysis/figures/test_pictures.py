"""Pictures of detections: colours, places of boxes, pixels as training reads them, bytes."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from fzmm.analysis.figures.pictures.amount_pictures import MOST_BYTES
from fzmm.analysis.figures.pictures.drawn_boxes import LabelledBox, short
from fzmm.analysis.figures.pictures.palette import class_colours
from fzmm.analysis.figures.pictures.side_by_side import GAP, as_jpeg, side_by_side
from fzmm.datasets.training_pixels import training_pixels


def test_colours_are_those_of_mmdetections_visualiser():
    from mmdet.datasets import CocoDataset
    from mmdet.visualization.palette import get_palette

    assert class_colours(80) == CocoDataset.METAINFO["palette"]
    assert class_colours(3) == CocoDataset.METAINFO["palette"][:3]
    assert class_colours(100) == [tuple(map(int, c)) for c in get_palette(None, 100)]
    own = [(1, 2, 3), (4, 5, 6)]
    assert class_colours(2, own) == own
    assert class_colours(3, own) == class_colours(100)[:3]  # too few: as without any


def test_a_box_is_drawn_where_it_is_in_its_own_copy():
    pixels = np.full((100, 150, 3), 200, np.uint8)
    red = LabelledBox(np.array([30.0, 20.0, 60.0, 50.0]), (220, 20, 60), "")
    row = np.asarray(side_by_side(pixels, [[], [red], []], width=300, line=2))
    assert row.shape == (200, 3 * 300 + 2 * GAP, 3)
    changed = np.argwhere((row != 200).any(axis=2) & (row != 255).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    start = 300 + GAP  # twice as large, in the second copy
    assert (left, top) == (start + 60, 40)
    assert abs(right - (start + 180)) <= 1 and abs(bottom - 140) <= 1
    edge = row[90, start + 60].astype(int)
    assert abs(edge - [216, 56, 88]).max() <= 1  # four fifths of the colour, as the visualiser's


def test_labels_stay_within_the_image_and_any_text_can_be_drawn():
    pixels = np.full((40, 60, 3), 100, np.uint8)
    names = ["", "\ud800", "\x1b[31m", "日本語", "a" * 500, "two\nlines"]
    boxes = [LabelledBox(np.array([-20.0, -9, 200, 3]), (1, 2, 3), short(n)) for n in names]
    boxes.append(LabelledBox(np.array([50.0, 30.0, 0.2, 0.2]), (1, 2, 3), "beyond the corner"))
    row = side_by_side(pixels, [boxes, boxes], width=120, line=2, titles=["a", "b" * 200])
    assert row.size == (2 * 120 + GAP, 80 + 22)
    assert len(short("a" * 500)) == 22 and short("two\nlines") == "two lines"


@pytest.mark.parametrize("shape", [(3000, 4000), (20, 4000), (4000, 20), (1, 1)])
def test_no_small_picture_is_above_its_bytes(shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    row = side_by_side(noise, [[], [], []], width=300, line=2)
    data = as_jpeg(row, MOST_BYTES)
    assert len(data) <= MOST_BYTES
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG" and image.size[0] <= 3 * 300 + 2 * GAP


def stored(tmp_path, kind):
    """An image file whose pixels training sees otherwise than they are stored."""
    ramp = np.linspace(0, 255, 90 * 120).reshape(90, 120)
    path = tmp_path / f"{kind}.png"
    if kind == "turned":
        path = path.with_suffix(".jpg")
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(ramp.astype(np.uint8)).save(path, exif=exif, quality=95)
    elif kind == "grey":
        cv2.imwrite(str(path), ramp.astype(np.uint8))
    elif kind == "deep":
        cv2.imwrite(str(path), (ramp * 257).astype(np.uint16))
    else:
        Image.fromarray(ramp.astype(np.uint8)).convert("RGBA").save(path)
    return path


@pytest.mark.parametrize("kind", ["turned", "grey", "deep", "transparent"])
def test_images_are_drawn_as_mmdetection_loads_them(tmp_path, kind):
    from mmcv.transforms import LoadImageFromFile

    path = stored(tmp_path, kind)
    loaded = LoadImageFromFile()(dict(img_path=str(path)))["img"]
    assert loaded.shape == ((120, 90, 3) if kind == "turned" else (90, 120, 3))
    row = np.asarray(side_by_side(training_pixels(path), [[]], width=loaded.shape[1], line=2))
    assert np.array_equal(row, loaded[:, :, ::-1])
