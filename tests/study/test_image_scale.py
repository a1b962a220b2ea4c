"""Images are resized as much as the base resizes the images that it was made for."""

import json

import pytest
from mmengine.config import Config

from fzmm.study.image_scale import scale_note, study_scale


def base(ann_file, scale):
    return Config(
        dict(
            train_dataloader=dict(
                dataset=dict(ann_file=ann_file, pipeline=[dict(type="Resize", scale=scale)])
            )
        )
    )


def annotations(folder, width, height):
    path = folder / "a.json"
    path.write_text(json.dumps(dict(images=[dict(width=width, height=height)] * 3)))
    return str(path)


@pytest.mark.parametrize(
    ("made_for", "scale", "size", "expected"),
    [
        ("coco", (1333, 800), (128, 128), (355, 213)),
        ("coco", (1333, 800), (640, 480), (1333, 800)),
        ("coco", (1333, 800), (4000, 3000), (1333, 800)),
        ((128, 128), (128, 128), (128, 128), (128, 128)),
        ((128, 128), (256, 256), (64, 64), (128, 128)),
        ("missing", (128, 128), (128, 128), (128, 128)),
    ],
)
def test_the_scale_follows_what_the_base_was_made_for(made_for, scale, size, expected, tmp_path):
    if isinstance(made_for, tuple):
        ann_file = annotations(tmp_path, *made_for)
    else:
        ann_file = {"coco": "data/coco/annotations/instances_train2017.json"}.get(made_for, "no")
    assert study_scale(base(ann_file, scale), size) == expected


@pytest.mark.parametrize(
    ("scale", "size", "told"),
    [
        ((1333, 800), (640, 480), False),
        ((34, 34), (128, 128), True),
        ((500, 500), (128, 128), True),
        ((128, 128), (200, 200), False),
    ],
)
def test_a_scale_that_changes_the_images_a_lot_is_told(scale, size, told):
    note = scale_note(scale, size)
    assert bool(note) == told
    assert not told or f"--scale {size[0]} {size[1]}" in note
