"""Folders of YOLO and Pascal VOC data of any kind: read right, or refused in one line."""

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.datasets.formats.folders import voc, voc_object, write_image, write_text
from tests.fuzz.damage import other_bytes

OBJECTS = voc_object("x", (1, 2, 3, 4)) + voc_object("{{ y }}", (5, 6, 7, 8), difficult=1)
YOLO = {
    "data.yaml": "path: .\ntrain: images\nval: val.txt\nnc: 2\nnames: [x, '{{ y }}']\n",
    "val.txt": "./images/b.png\n",
    "labels/a.txt": "0 0.5 0.5 0.25 0.25\n1 0.1 0.2 0.5 0.2 0.3 0.8\n",
    "labels/b.txt": "1 0.5 0.5 1 1\n",
}
VOC = {
    "Annotations/a.xml": voc(OBJECTS, "a.png"),
    "Annotations/b.xml": '<?xml version="1.0"?>\n' + voc(OBJECTS, "b.png"),
    "ImageSets/Main/train.txt": "a\n",
    "ImageSets/Main/val.txt": "b 1\n",
}
FORMATS = {"YOLO": (YOLO, "images"), "Pascal VOC": (VOC, "JPEGImages")}


def write(folder, kind, **other):
    shutil.rmtree(folder, ignore_errors=True)
    files, images = FORMATS[kind]
    for name, text in {**files, **other}.items():
        write_text(folder / name, text)
    for name in "ab":
        write_image(folder / images / f"{name}.png")
    return folder


@st.composite
def damage(draw, kind):
    name, text = draw(st.sampled_from(sorted(FORMATS[kind][0].items())))
    return {name: draw(other_bytes(text.encode()))}


@pytest.mark.parametrize("kind", FORMATS)
def test_an_undamaged_folder_is_read(tmp_path, light_reader, kind):
    assert light_reader("data_folder", write(tmp_path / "data", kind))


@given(files=damage("YOLO"))
def test_a_yolo_folder(tmp_path, light_reader, files):
    light_reader("data_folder", write(tmp_path / "data", "YOLO", **files))


@given(files=damage("Pascal VOC"))
def test_a_voc_folder(tmp_path, light_reader, files):
    light_reader("data_folder", write(tmp_path / "data", "Pascal VOC", **files))


def test_many_classes_take_no_time(light_reader):
    light_reader("class_names", 500_000)
