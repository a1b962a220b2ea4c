import gzip
import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fzmm.datasets import annotation_file
from fzmm.datasets.annotation_file import AnnotationFile
from fzmm.errors import UserError

HOSTILE = 'a "quoted" \\ back\\\\slash }{][ end\\" \u2028 \u00e9 \x00 日本'


def coco_with(extra=None, images=4, annotations=7) -> dict:
    return {
        "info": {"description": HOSTILE, "list": [[{}], {"images": [1]}]},
        "annotations": [
            {
                "id": 100 - index,
                "image_id": index % images + 1,
                "category_id": 1,
                "bbox": [0.5, 1e-3, 10, 12.25],
                "segmentation": [[1.5, 2, 3, 4, 5, 6]],
                "iscrowd": 0,
                "note": HOSTILE,
                "extra": extra,
            }
            for index in range(annotations)
        ],
        "empty": [],
        "images": [{"id": index + 1, "file_name": HOSTILE} for index in range(images)],
        "categories": [{"id": 1, "name": HOSTILE}],
        "more": [extra, {"a": [extra]}, "]"],
    }


def cut(file: AnnotationFile, images: list[bool]) -> dict:
    kept = {
        image["id"] for image, inside in zip(file.coco["images"], images, strict=True) if inside
    }
    annotations = [item["image_id"] in kept for item in file.coco["annotations"]]
    return json.loads(b"".join(file.cut(np.array(images, bool), np.array(annotations, bool))))


def expected(coco: dict, images: list[bool]) -> dict:
    part = [image for image, inside in zip(coco["images"], images, strict=True) if inside]
    ids = {image["id"] for image in part}
    annotations = [item for item in coco["annotations"] if item["image_id"] in ids]
    return {**coco, "images": part, "annotations": annotations}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(
    extra=json_values,
    images=st.lists(st.booleans(), min_size=1, max_size=5),
    annotations=st.integers(0, 9),
    indent=st.sampled_from([None, 1, "\t"]),
    ascii_only=st.booleans(),
)
def test_a_cut_is_what_filtering_the_object_gives(
    tmp_path_factory, extra, images, annotations, indent, ascii_only
):
    coco = coco_with(extra, len(images), annotations)
    path = tmp_path_factory.mktemp("cut") / "a.json"
    text = json.dumps(coco, indent=indent, ensure_ascii=ascii_only)
    path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="\r\n")
    part = cut(AnnotationFile(path), images)
    assert part == expected(coco, images)
    assert list(part) == list(coco)


@pytest.mark.parametrize("block", [1, 7, 64])
def test_block_limits_change_nothing(tmp_path, monkeypatch, block):
    monkeypatch.setattr(annotation_file, "_BLOCK", block)
    monkeypatch.setattr(annotation_file, "_CHUNK", block)
    coco = coco_with([1, 2])
    path = tmp_path / "a.json"
    path.write_text(json.dumps(coco, indent=1))
    images = [True, False, True, False]
    assert cut(AnnotationFile(path), images) == expected(coco, images)


def test_numbers_and_keys_are_copied_as_they_stand(tmp_path):
    head = '{"images":[{"id":1.0,"x":1.50},{"id":2}],"categories":[{"id":1,"name":"a"}],'
    item = (
        '{"id":7.0,"image_id":1.0,"category_id":1,"bbox":[0,0,1E1,2.50],"k":12345678901234567890}'
    )
    path = tmp_path / "a.json"
    path.write_text(head + f'"annotations":[{item}]' + "}")
    pieces = b"".join(AnnotationFile(path).cut(np.array([True, False]), np.array([True]))).decode()
    assert item in pieces
    assert '{"id":1.0,"x":1.50}' in pieces
    assert '"id":2' not in pieces


def test_the_last_of_two_equal_keys_counts_as_in_any_parser(tmp_path):
    coco = coco_with()
    text = json.dumps(coco)
    path = tmp_path / "a.json"
    path.write_text('{"annotations": [{"id": "wrong"}], ' + text[1:])
    images = [True, True, False, False]
    assert (
        cut(AnnotationFile(path), images)["annotations"] == (expected(coco, images)["annotations"])
    )


@pytest.mark.parametrize("value", [0, 1, 99, -1, "x", [1], None, True])
def test_an_extra_that_looks_like_the_parsers_own_stand_in_is_kept(tmp_path, value):
    coco = {**coco_with(), "extra": {"array": value}}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(coco))
    file = AnnotationFile(path)
    assert file.coco["extra"] == {"array": value}
    assert cut(file, [True, False, False, True]) == expected(coco, [True, False, False, True])


def test_gzip_is_read_and_the_checksum_is_that_of_the_file(tmp_path):
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(json.dumps(coco_with()).encode()))
    file = AnnotationFile(path)
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert cut(file, [False, True, True, True]) == expected(coco_with(), [False, True, True, True])


@pytest.mark.parametrize("end", [0.2, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("large", [0, 1 << 27])
def test_a_truncated_file_is_refused_with_its_place(tmp_path, monkeypatch, end, large):
    monkeypatch.setattr(annotation_file, "_LARGE", large)
    text = json.dumps(coco_with(), indent=1)
    path = tmp_path / "a.json"
    path.write_text(text[: int(len(text) * end)])
    with pytest.raises(UserError, match=r"a\.json: line \d+, column \d+: .*cut off"):
        AnnotationFile(path)


@pytest.mark.parametrize(
    "text",
    [
        '{"images": [{"id": 1}], "annotations": [{"id": 1} {"id": 2}], "categories": []}',
        '{"images": [{"id": 1}], "annotations": [,], "categories": []}',
        '{"images": [{"id": 1},], "annotations": [], "categories": []}',
        '{"images": [{"id": 1}]], "annotations": [], "categories": []}',
        '{"images": [{"id": 1}], "annotations": [], "categories": []} x',
        '{"images": [{"id": 1}], "annotations": [], "categories": []}}',
        '{"images": [{"id": 1}, 2], "annotations": [], "categories": []}',
        '{"images": [[{"id": 1}]], "annotations": [], "categories": []}',
        '{"images": 3, "annotations": [], "categories": []}',
        "",
        "   ",
        "{}",
        "null",
        '"text"',
    ],
)
def test_what_is_not_a_coco_object_is_refused(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"a\.json: "):
        AnnotationFile(path)
