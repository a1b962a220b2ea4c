import gzip
import json
import os
import subprocess
import sys

import pytest

from fzmm.datasets.coco import read_annotations
from fzmm.errors import UserError


def small_coco() -> dict:
    return {
        "info": {"description": "naïve façade 日本"},
        "images": [
            {"id": 1, "file_name": "a.jpg", "width": 100, "height": 80},
            {"id": 2, "file_name": "b.jpg", "width": 100, "height": 80},
        ],
        "annotations": [
            {"id": 5, "image_id": 1, "category_id": 3, "bbox": [0, 0, 10, 10], "area": 100},
        ],
        "categories": [{"id": 3, "name": "tisch/Äpfel"}],
    }


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: gzip.compress(text.encode()),
    ],
    ids=["plain", "byte order mark", "Windows line ends", "gzip"],
)
def test_reads_the_encodings_that_tools_write(tmp_path, encode):
    path = tmp_path / "a.json"
    path.write_bytes(encode(json.dumps(small_coco(), indent=1, ensure_ascii=False)))
    assert read_annotations(path) == small_coco()


def test_accepts_whole_floats_as_ids_and_leaves_them_as_they_are(tmp_path):
    coco = small_coco()
    coco["images"][0]["id"] = 1.0
    coco["annotations"][0].update(id=5.0, category_id=3.0)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(coco))
    read = read_annotations(path)
    assert read == coco
    assert isinstance(read["images"][0]["id"], float)


def test_accepts_an_annotation_file_without_any_annotation(tmp_path):
    coco = {**small_coco(), "annotations": []}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(coco))
    assert read_annotations(path)["annotations"] == []


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"missing\.json: cannot be read"):
        read_annotations(tmp_path / "missing.json")


@pytest.mark.parametrize("field", ["id", "image_id", "category_id"])
@pytest.mark.parametrize("value", [1.5, "1", True, None, 1e300, [1]])
def test_refuses_ids_that_are_no_whole_numbers(tmp_path, field, value):
    coco = small_coco()
    coco["annotations"][0][field] = value
    path = tmp_path / "a.json"
    path.write_text(json.dumps(coco))
    with pytest.raises(UserError, match=rf"a\.json: annotations\[0\].*`{field}`.*whole number"):
        read_annotations(path)


@pytest.mark.parametrize("field", ["score", "attributes"])
def test_nan_in_an_extra_is_refused_with_its_place(tmp_path, field):
    coco = small_coco()
    coco["annotations"][0][field] = float("nan")
    path = tmp_path / "a.json"
    path.write_text(json.dumps(coco))
    with pytest.raises(UserError, match=r"line 1, column \d+: NaN is not JSON"):
        read_annotations(path)


@pytest.mark.parametrize("values", [{"bbox": [0, 0, 1, 10**400]}, {"area": 10**400}])
def test_an_integer_beyond_the_largest_float_is_no_traceback(tmp_path, values):
    coco = small_coco()
    coco["annotations"][0].update(values, score=float("nan"))  # else the fast parser refuses it
    path = tmp_path / "a.json"
    path.write_text(json.dumps(coco))
    with pytest.raises(UserError, match=r"a\.json: annotations\[0\] \(id 5\) .* finite number"):
        read_annotations(path)


def test_nesting_beyond_reason_is_no_traceback(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("[" * 200_000)
    with pytest.raises(UserError, match=r"a\.json"):
        read_annotations(path)


def test_text_that_is_not_utf8_is_refused_with_its_place(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(json.dumps(small_coco()).encode("utf-16"))
    with pytest.raises(UserError, match=r"byte 0 is not UTF-8"):
        read_annotations(path)


def test_things_that_are_not_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    for path in (tmp_path / "pipe.json", tmp_path, "/dev/zero"):
        with pytest.raises(UserError, match="is not a regular file"):
            read_annotations(path)


def test_a_gzip_bomb_is_refused_before_it_fills_the_memory(tmp_path):
    path = tmp_path / "bomb.json.gz"
    with gzip.open(path, "wb", compresslevel=9) as file:
        for _ in range(200):
            file.write(bytes(1 << 20))
    with pytest.raises(UserError, match="unpacks to more than 64 MB"):
        read_annotations(path)

    with gzip.open(path, "wb", compresslevel=1) as file:  # 9 MB packed
        for _ in range(2000):
            file.write(bytes(1 << 20))
    read = f"from fzmm.datasets.coco import read_annotations; read_annotations({str(path)!r})"
    limit = f"import resource as r; r.setrlimit(r.RLIMIT_AS, (2**30, 2**30)); {read}"
    environment = dict(os.environ, OPENBLAS_NUM_THREADS="1")
    command = [sys.executable, "-c", limit]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "UserError" in done.stderr and "unpacks to more than" in done.stderr, done.stderr
