"""Annotation files of any kind: read right, or refused in one line."""

import gzip
import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fzmm.datasets.annotation_file import AnnotationFile
from fzmm.datasets.coco import read_annotations
from fzmm.datasets.missing_fields import fill_missing_fields
from fzmm.datasets.subsets.make_subsets import select_image_ids
from fzmm.engine.runner.check_inputs import read_categories
from tests.fuzz.damage import call, damaged

COCO = {
    "info": {"description": 'brackets ] } in "text"'},
    "images": [
        {"id": n, "file_name": f"{n}.jpg", "width": 64, "height": 48, "license": None}
        for n in range(4)
    ],
    "annotations": [
        {
            "id": n,
            "image_id": n % 3,
            "category_id": 1 + n % 2,
            "bbox": [1, 2.5, 10, 12],
            "area": 120.0,
            "iscrowd": 0,
            "segmentation": [[1, 2, 3, 4, 5, 6]],
        }
        for n in range(5)
    ],
    "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "{{ b }}"}],
}
DROPPED = ("segmentation", "keypoints", "caption")


@given(content=damaged(COCO), packed=st.booleans())
def test_both_readers_agree_or_refuse(tmp_path, content, packed):
    path = tmp_path / "a.json"
    path.write_bytes(gzip.compress(content) if packed else content)
    coco = call(read_annotations, path)
    file = call(AnnotationFile, path)
    assert (coco is None) == (file is None)
    if coco is None:
        return

    for annotation in coco["annotations"]:
        for key in DROPPED:
            annotation.pop(key, None)
    assert file.coco == coco
    everything = [np.ones(len(coco[key]), dtype=bool) for key in ("images", "annotations")]
    again = json.loads(b"".join(file.cut(*everything)))
    assert [image["id"] for image in again["images"]] == [image["id"] for image in coco["images"]]
    chosen = select_image_ids(coco, 2)
    assert len(set(chosen)) == min(2, len(coco["images"]))
    call(fill_missing_fields, coco, "a.json")


@given(content=damaged(COCO))
def test_the_names_of_categories(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    names = call(read_categories, str(path))
    assert names is None or all(isinstance(name, str) for name in names)


@given(content=st.binary(max_size=200))
def test_any_bytes(tmp_path, content):
    path = tmp_path / "a.json"
    for head in (b"", b"\x1f\x8b\x08"):
        path.write_bytes(head + content)
        call(read_annotations, path)
        call(AnnotationFile, path)
