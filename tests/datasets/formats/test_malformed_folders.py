"""Folders that cannot be read are refused in one line with file, line and what is wrong."""

import os

import pytest

from fzmm.datasets.formats.read_folder import read_folder
from fzmm.errors import UserError
from tests.datasets.formats.folders import voc, voc_object, write_image, write_text

YAML = "train: images\nval: images\nnames: [x, y]\n"
XML = "Annotations/a.xml"
BOX = "0 0.5 0.5 0.2 0.2\n"
OBJECT = voc_object("x", (1, 2, 3, 4))
COCO = '{"images": [%s], "annotations": [%s], "categories": [{"id": 1, "name": "x"}]}'
IMAGE = '{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}'
ALIASES = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
ALIASES += "names: *i\ntrain: images\n"
LAUGHS = '<!DOCTYPE x [<!ENTITY a0 "ha">{}]><annotation>&a9;</annotation>'.format(
    "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
)
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa">\n<!ENTITY b "&a;&a;&a;">]>\n<annotation>&b;</annotation>'


def yolo(label=BOX, yaml=YAML, **files):
    return {"data.yaml": yaml, "labels/a.txt": label, "images/a.jpg": None, **files}


def voc_folder(xml, **files):
    return {XML: xml, "JPEGImages/a.jpg": None, **files}


def coco(text, **files):
    return {"annotations/instances_train.json": text, "train/a.jpg": None, **files}


# Name: files (None is an image), and a pattern of the one line.
FOLDERS = {
    "nothing": ({"notes.txt": "x"}, "no format is recognised"),
    "yaml cut off": (yolo(yaml="train: images\nnames: [x, y\n"), r"data.yaml:3: is not YAML"),
    "yaml of bytes": (yolo(yaml=b"train: \xff\xfe\nnames: [x]"), r"data.yaml:1: is not YAML"),
    "yaml names nothing": (yolo(yaml="train: images\nnc: 2\n"), "--classes"),
    "yaml counts otherwise": (yolo(yaml=YAML + "nc: 3\n"), "`nc` is '3', but `names` has 2"),
    "yaml skips a class": (yolo(yaml="train: images\nnames: {0: x, 2: y}"), "other keys than 0"),
    "yaml names a class twice": (yolo(yaml="train: images\nnames: [x, x]"), "'x' stands twice"),
    "yaml without a place": (yolo(yaml="train: nowhere\nnames: [x]"), "`train`: no nowhere in"),
    "yaml with a number of places": (yolo(yaml="train: {a: b}\nnames: [x]"), "`train` is neither"),
    "yaml with the whole disk as a place": (
        yolo(yaml="train: /\nnames: [x]"),
        "`train`: / is far more than this dataset",
    ),
    "yaml of aliases of aliases": (yolo(yaml=ALIASES), "`names` is neither a text nor a list"),
    "yaml that holds itself": (yolo(yaml="names: &a [*a]\ntrain: images\n"), "data.yaml:1: is not"),
    "yaml nested too deeply": (yolo(yaml=f"names: {'[' * 20_000}"), "data.yaml:1: is not YAML"),
    "yaml of a device": (yolo(yaml="train: /dev/zero\nnames: [x]"), "is not a regular file"),
    "list of a file that is no image": (
        yolo(yaml="train: t.txt\nnames: [x]", **{"t.txt": "/etc/passwd\n"}),
        "/etc/passwd: cannot be opened as an image",
    ),
    "yaml of a place that is there twice": (
        {"in/data.yaml": "train: ../images\nnames: [x]", "in/images/a.jpg": None}
        | {"images/a.jpg": None, "in/labels/a.txt": BOX},
        "may be .*images and .*images; keep one",
    ),
    "two yamls": (yolo(**{"other.yaml": YAML}), "data.yaml and other.yaml both describe"),
    "list of a missing image": (
        yolo(yaml="train: t.txt\nnames: [x]", **{"t.txt": "images/a.jpg\nimages/b.jpg\n"}),
        r"t.txt:2: no image images/b.jpg",
    ),
    "label of words": (yolo(BOX + "cat 0.5 0.5 0.2 0.2"), r"labels/a.txt:2: .*is not all numbers"),
    "label of too few numbers": (yolo("\n\n0 0.5 0.5 0.2"), r"a.txt:3: 3 numbers after the class"),
    "label of a prediction": (yolo("0 .5 .5 .2 .2 .9"), r"a.txt:1: 5 numbers after the class"),
    "label of an odd polygon": (yolo("0 .1 .1 .2 .2 .3 .3 .4"), r"a.txt:1: 7 numbers"),
    "label in pixels": (yolo("0 120 80 30 40"), r"a.txt:1: 120 is no share of the image"),
    "label of no class": (yolo("2 0.5 0.5 0.2 0.2"), r"a.txt:1: class 2 is none of 0 to 1"),
    "label of half a class": (yolo("0.5 0.5 0.5 0.2 0.2"), r"a.txt:1: class 0.5 is none"),
    "label of a negative class": (yolo("-1 0.5 0.5 0.2 0.2"), r"a.txt:1: class -1 is none"),
    "label of nan": (yolo("0 nan 0.5 0.2 0.2"), r"a.txt:1: holds a number that is not finite"),
    "label of endless digits": (yolo(f"0 {'9' * 5_000} .5 .2 .2"), r"a.txt:1: holds a number"),
    "label of a class to infinity": (yolo("1e400 .5 .5 .2 .2"), r"a.txt:1: class 1e400 is none"),
    "label of bytes": (yolo(BOX.encode() + b"\xff\xff"), r"a.txt:2: is not UTF-8"),
    "label of no box": (yolo("\n"), "holds a box"),
    "image of text": (yolo(**{"images/b.jpg": "text"}), "b.jpg: cannot be opened as an image"),
    "name of half a character": (yolo(yaml='train: images\nnames: ["\\ud800"]'), "is no text"),
    "image name of bytes": (yolo(**{"images/\udcff.jpg": None}), "is no text"),
    "label of two images": (yolo(**{"images/a.png": None}), "is of both a.jpg and a.png"),
    "no image": ({"data.yaml": YAML, "images/readme": "x"}, "holds no image"),
    "split in two ways": (
        {"images/train/a.jpg": None, "labels/train/a.txt": BOX}
        | {"train/images/a.jpg": None, "train/labels/a.txt": BOX},
        "may both be the train part",
    ),
    "xml cut off": (voc_folder("<annotation>\n<object>\n"), r"a.xml:3: is not XML"),
    "xml of something else": (voc_folder("<html/>"), r"a.xml:1: begins with <html>"),
    "xml of entities": (voc_folder(BOMB), r"a.xml:1: declares an entity"),
    "xml of entities in entities": (voc_folder(LAUGHS), r"a.xml:1: declares an entity"),
    "xml of a file of mine": (
        voc_folder('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;'),
        r"a.xml:1: declares an entity",
    ),
    "xml too deep": (voc_folder("<annotation>" + "<a>" * 99), r"a.xml:1: nested too deeply"),
    "xml of an unknown encoding": (
        voc_folder('<?xml version="1.0" encoding="klingon"?><annotation/>'),
        r"a.xml:1: ",
    ),
    "object without a name": (
        voc_folder(voc("<object>\n<bndbox/></object>")),
        r"a.xml:4: the object has no <name>",
    ),
    "object without a box": (
        voc_folder(voc("<object><name>x</name></object>")),
        r"a.xml:4: 'x' has no <bndbox>",
    ),
    "box without a side": (
        voc_folder(voc(OBJECT).replace("xmax", "xmix")),
        r"xml:6: .*no <xmax>",
    ),
    "box of words": (voc_folder(voc(OBJECT).replace(">2<", ">two<")), r"a.xml:6: <xmin> is 'two'"),
    "box to infinity": (voc_folder(voc(OBJECT).replace(">4<", ">1e999<")), r"a.xml:6: <xmax>"),
    "box turned round": (voc_folder(voc(OBJECT).replace(">4<", ">1<")), r"a.xml:6: .*ends before"),
    "box of thousands of kilometres": (
        voc_folder(voc(OBJECT).replace(">4<", f">{'9' * 30}<")),
        r"a.xml:6: <xmax> is '9{30}'; give a number of pixels",
    ),
    "size of thousands of kilometres": (
        voc_folder(voc(OBJECT, width="1" + "0" * 30)),
        r"a.xml:3: <size> is of no image",
    ),
    "name of a megabyte": (
        voc_folder(voc("<object><name>" + "A" * (1 << 20) + "</name></object>")),
        r"a.xml:4: 'AAA.* \.\.\. .*AAA' has no <bndbox>",
    ),
    "size of words": (voc_folder(voc(OBJECT, width="wide")), r"a.xml:3: <size>"),
    "no object at all": (voc_folder(voc("")), "none of 1 files holds an object"),
    "list of a missing annotation": (
        voc_folder(voc(OBJECT), **{"ImageSets/Main/train.txt": "a\nb\n"}),
        r"train.txt:2: Annotations/b.xml is missing",
    ),
    "empty list": (voc_folder(voc(OBJECT), **{"ImageSets/Main/train.txt": ""}), "lists are empty"),
    "annotation without an image": ({XML: voc(OBJECT), "JPEGImages/b.jpg": None}, "no image has"),
    "annotation of two images": (
        voc_folder(voc(OBJECT, "c.jpg"), **{"JPEGImages/a.png": None}),
        "several images",
    ),
    "annotations without images": ({XML: voc(OBJECT)}, "no folder JPEGImages or images"),
    "json cut off": (coco('{"images": [\n'), "line 1.*cut off|line 2.*cut off"),
    "json without a name": (coco(COCO % ('{"id": 1}', "")), r"images\[0\] has no `file_name`"),
    "json of an unknown image": (
        coco(COCO % (IMAGE, '{"id": 1, "image_id": 5, "category_id": 1, "bbox": [0, 0, 1, 1]}')),
        r"annotations\[0\] .*not in `images`",
    ),
    "json without its images": (
        {"annotations/instances_train.json": COCO % (IMAGE, "")},
        "its first image a.jpg is neither in",
    ),
    "json whose images are there twice": (
        coco(COCO % (IMAGE, ""), **{"images/a.jpg": None}),
        "is in images and train",
    ),
    "two jsons of a part": (
        coco(COCO % (IMAGE, ""), **{"annotations/instances_train2.json": COCO % (IMAGE, "")}),
        "may be the train part",
    ),
    "label beside of words": (
        {"a.jpg": None, "a.txt": BOX + "cat 0.5 0.5 0.2 0.2", "classes.txt": "x"},
        r"a.txt:2: .*is not all numbers",
    ),
    "labels beside without class names": ({"a.jpg": None, "a.txt": BOX}, "--classes"),
    "xml beside cut off": (
        {"train/a.jpg": None, "train/a.xml": "<annotation>\n<object>\n"},
        r"a.xml:3: is not XML",
    ),
    "json of any name cut off": (
        {"labels.json": COCO[:-20].replace("%s", ""), "images/a.jpg": None},
        r"labels.json: line 1, column \d+",
    ),
    "json of any name without its images": (
        {"labels.json": COCO % (IMAGE, "")},
        "labels.json: its first image a.jpg is neither in",
    ),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_malformed_folder_is_one_line(name, tmp_path):
    files, pattern = FOLDERS[name]
    for path, text in files.items():
        write_image(tmp_path / path) if text is None else write_text(tmp_path / path, text)
    with pytest.raises(UserError, match=pattern) as error:
        read_folder(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["data.yaml", "images/a.jpg"])
def test_a_pipe_or_a_device_in_place_of_a_file_is_refused(name, tmp_path):
    for path, text in yolo().items():
        write_image(tmp_path / path) if text is None else write_text(tmp_path / path, text)
    os.remove(tmp_path / name)
    os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match=f"{name}: is not a regular file"):
        read_folder(tmp_path)
    os.remove(tmp_path / name)
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(UserError, match=f"{name}: is not a regular file"):
        read_folder(tmp_path)


def test_a_link_that_leads_back_is_not_followed(tmp_path):
    for path, text in yolo().items():
        write_image(tmp_path / path) if text is None else write_text(tmp_path / path, text)
    (tmp_path / "images/up").symlink_to("..")
    assert len(read_folder(tmp_path).splits["train"].coco["images"]) == 1


def test_tags_of_python_are_no_code(tmp_path):
    yaml = f"names: !!python/object/apply:os.mkdir ['{tmp_path}/ran']\ntrain: images\n"
    for path, text in yolo(yaml=yaml).items():
        write_image(tmp_path / path) if text is None else write_text(tmp_path / path, text)
    [category] = read_folder(tmp_path).splits["train"].coco["categories"]
    assert category["name"] == f"{tmp_path}/ran" and not (tmp_path / "ran").exists()


def test_classes_that_the_format_names_itself_are_refused(tmp_path):
    for path, text in voc_folder(voc(OBJECT)).items():
        write_image(tmp_path / path) if text is None else write_text(tmp_path / path, text)
    with pytest.raises(UserError, match="--classes"):
        read_folder(tmp_path, ["x"])
