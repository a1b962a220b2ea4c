"""Annotation files of any kind: read right, or refused in one line."""

import gzip
import json

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.damage import damaged

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


@given(content=damaged(COCO), packed=st.booleans())
def test_both_readers_agree_or_refuse(tmp_path, light_reader, content, packed):
    path = tmp_path / "a.json"
    path.write_bytes(gzip.compress(content) if packed else content)
    light_reader("annotation_file", path)


@given(content=damaged(COCO))
def test_the_names_of_categories(tmp_path, torch_reader, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    names = torch_reader("categories", path)
    assert names is None or all(isinstance(name, str) for name in names)


@given(content=st.binary(max_size=200))
def test_any_bytes(tmp_path, light_reader, content):
    path = tmp_path / "a.json"
    for head in (b"", b"\x1f\x8b\x08"):
        path.write_bytes(head + content)
        light_reader("annotation_file", path)


def test_an_undamaged_file_is_read(tmp_path, light_reader, torch_reader):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(COCO))
    assert light_reader("annotation_file", path)
    assert torch_reader("categories", path) == ["a", "{{ b }}"]
