"""Folders of each format are read as what they are, and nothing in them is lost."""

import json

import pytest

from fzmm.datasets.formats.read_folder import read_folder
from fzmm.errors import UserError
from tests.datasets.formats.folders import (
    boxes_of,
    coco_of,
    voc,
    voc_object,
    write_coco_folder,
    write_image,
    write_text,
    write_voc_folder,
    write_yolo_folder,
)

CLASSES = ["cat", "no", "007"]  # YAML would make the latter two False and 7
SIZE = (64, 48)
TRAIN = {
    "a.jpg": (SIZE, [(0, (0, 0, 10, 8), 0), (1, (3, 4, 20, 30), 0)]),
    "b.jpg": (SIZE, []),
    "c.png": (SIZE, [(2, (40, 24, 24, 24), 0)]),
}
VAL = {"d.jpg": (SIZE, [(1, (1, 2, 3, 4), 0)])}
PARTS = {"train": coco_of(TRAIN, CLASSES), "val": coco_of(VAL, CLASSES)}
WRITERS = {
    "COCO": (write_coco_folder, "images/{split}"),
    "YOLO": (write_yolo_folder, "images/{split}"),
    "Pascal VOC": (write_voc_folder, "JPEGImages"),
}


def make(folder, kind, parts=PARTS):
    write, images = WRITERS[kind]
    write(folder, parts)
    for split, coco in parts.items():
        for image in coco["images"]:
            write_image(folder / images.format(split=split) / image["file_name"])
    return folder


@pytest.mark.parametrize("kind", WRITERS)
def test_a_folder_of_each_format_comes_back(kind, tmp_path):
    dataset = read_folder(make(tmp_path, kind))
    assert dataset.format == kind
    assert set(dataset.splits) == {"train", "val"}
    for split, coco in PARTS.items():
        got = boxes_of(dataset.splits[split].coco)
        assert got.keys() == boxes_of(coco).keys()
        for name, boxes in boxes_of(coco).items():
            assert [box[0] for box in got[name]] == [box[0] for box in boxes]
            for ours, theirs in zip(got[name], boxes, strict=True):
                assert ours[1] == pytest.approx(theirs[1], abs=1e-9)
            assert (dataset.splits[split].images / name).is_file()
    assert any("3 images, 3 boxes" in note for note in dataset.notes)


def test_coco_keeps_crowds_masks_ids_and_unknown_keys(tmp_path):
    coco = coco_of({"a.jpg": (SIZE, [(0, (1.5, 2.25, 30.125, 20), 1)])}, CLASSES)
    mask = dict(counts=[3, 4], size=[48, 64])
    coco["annotations"][0] |= dict(id=90071992547, segmentation=mask, mine="kept")
    folder = make(tmp_path, "COCO", {"train": coco, "val": PARTS["val"]})
    split = read_folder(folder).splits["train"]
    assert split.coco == coco
    assert split.ann_file == folder / "annotations/instances_train.json"


def roboflow(folder, used=False):
    for split in ("train", "valid"):
        coco = coco_of({f"{split}.jpg": (SIZE, [(0, (1, 2, 3, 4), 0)])}, ["cells"])
        coco["categories"][0]["supercategory"] = "cells"
        coco["categories"].insert(0, dict(id=0, name="cells", supercategory="none"))
        if used:
            coco["annotations"][0]["category_id"] = 0
        write_text(folder / split / "_annotations.coco.json", json.dumps(coco))
        write_image(folder / split / f"{split}.jpg")


def test_roboflows_empty_root_class_is_dropped_and_told(tmp_path):
    roboflow(tmp_path)
    dataset = read_folder(tmp_path)
    assert set(dataset.splits) == {"train", "val"}
    # the class of the same name stays, with its id
    assert [(c["id"], c["name"]) for c in dataset.splits["val"].coco["categories"]] == [
        (10, "cells")
    ]
    assert dataset.splits["val"].images == tmp_path / "valid"
    assert any("root that Roboflow adds" in note for note in dataset.notes)


def test_a_root_class_that_a_box_has_stays(tmp_path):
    roboflow(tmp_path, used=True)
    with pytest.raises(UserError, match="'cells' stands twice"):
        read_folder(tmp_path)


@pytest.mark.parametrize("folder", ["train2017", "images/train2017", "train", "images", "."])
def test_coco_images_are_where_they_usually_are(folder, tmp_path):
    write_text(tmp_path / "annotations/instances_train2017.json", json.dumps(PARTS["train"]))
    for name in TRAIN:
        write_image(tmp_path / folder / name)
    assert read_folder(tmp_path).splits["train"].images.samefile(tmp_path / folder)


LINES = {"a": "0 0.5 0.5 0.25 0.5", "b": "1 0.1 0.1 0.2 0.2"}
ARRANGEMENTS = {
    "images/{split}/{stem}.jpg": "labels/{split}/{stem}.txt",
    "{split}/images/{stem}.jpg": "{split}/labels/{stem}.txt",
}


@pytest.mark.parametrize("images", ARRANGEMENTS)
@pytest.mark.parametrize("validation", ["val", "valid", "val2017"])
def test_yolo_without_a_yaml_takes_the_classes_that_are_given(images, validation, tmp_path):
    for split, stem in (("train", "a"), (validation, "b")):
        write_image(tmp_path / images.format(split=split, stem=stem))
        label = ARRANGEMENTS[images].format(split=split, stem=stem)
        write_text(tmp_path / label, LINES[stem])
    dataset = read_folder(tmp_path, ["x", "y"])
    assert boxes_of(dataset.splits["train"].coco) == {"a.jpg": [("x", (24, 12, 16, 24), 0)]}
    assert [box[0] for box in boxes_of(dataset.splits["val"].coco)["b.jpg"]] == ["y"]
    with pytest.raises(UserError, match="--classes"):
        read_folder(tmp_path)


def test_yolo_without_splits_and_with_classes_txt(tmp_path):
    write_image(tmp_path / "images/a.jpg")
    write_text(tmp_path / "labels/a.txt", LINES["a"])
    write_text(tmp_path / "classes.txt", "x\ny\n")
    assert list(read_folder(tmp_path).splits) == ["all"]


@pytest.mark.parametrize(
    "text",
    [
        "path: .\ntrain: images/train\nval: images/val\nnames: {0: x, 1: y}",
        "train: ../images/train\nval: ../images/val\nnc: 2\nnames: [x, y]",
        "path: /datasets/of/another/machine\ntrain: images/train\nval: images/val\nnames: [x, y]",
        "train: [images/train]\nval: val.txt\nnames:\n  - x\n  - y",
    ],
)
def test_yolo_yamls_as_they_are_written(text, tmp_path):
    for split, stem in (("train", "a"), ("val", "b")):
        write_image(tmp_path / f"images/{split}/{stem}.jpg")
        write_text(tmp_path / f"labels/{split}/{stem}.txt", LINES[stem])
    write_text(tmp_path / "val.txt", "./images/val/b.jpg\n")
    write_text(tmp_path / "data.yaml", text)
    dataset = read_folder(tmp_path)
    assert [c["name"] for c in dataset.splits["train"].coco["categories"]] == ["x", "y"]
    assert dataset.splits["val"].images == tmp_path / "images/val"
    assert len(dataset.splits["val"].coco["annotations"]) == 1


def yolo(folder, label, yaml="train: images\nnames: [x, y]", size=(100, 50)):
    write_image(folder / "images/a.png", size)
    write_text(folder / "labels/a.txt", label)
    write_text(folder / "data.yaml", yaml)
    return read_folder(folder)


@pytest.mark.parametrize("images", [0, 2])
def test_a_test_part_without_labels_or_images_is_left_out_and_told(images, tmp_path):
    for number in range(images):
        write_image(tmp_path / f"test/images/{number}.jpg")
    yaml = "train: images\ntest: ../test/images\nnames: [x]"
    dataset = yolo(tmp_path, "0 0.5 0.5 0.2 0.2", yaml)
    assert list(dataset.splits) == ["train"]
    assert f"test: left out, {images} images and no label file" in dataset.notes


def test_polygons_become_boxes_and_are_counted(tmp_path):
    dataset = yolo(tmp_path, "1 0.1 0.2 0.5 0.2 0.3 0.8\n0 0.5 0.5 0.2 0.2")
    (_, polygon, _), _ = boxes_of(dataset.splits["train"].coco)["a.png"]
    assert polygon == pytest.approx((10, 10, 40, 30))
    assert "1 polygons became boxes" in dataset.notes


def test_keypoints_are_no_polygon(tmp_path):
    yaml = "train: images\nnames: [x]\nkpt_shape: [2, 2]"
    dataset = yolo(tmp_path, "0 0.5 0.5 0.2 0.2 0.9 0.9 0 0", yaml)
    assert boxes_of(dataset.splits["train"].coco)["a.png"][0][1] == pytest.approx((40, 20, 20, 10))


def test_what_yolo_leaves_out_is_counted(tmp_path):
    write_image(tmp_path / "images/empty.jpg")
    write_image(tmp_path / "elsewhere/loose.jpg")
    write_text(tmp_path / "labels/spare.txt", "0 0.5 0.5 0.1 0.1")
    dataset = yolo(tmp_path, "0 0.5 0.5 0 0.2\n0 0.5 0.5 0.2 0.2\n")
    assert {
        "1 images without a label file taken as empty",
        "1 images outside these parts left out",
        "1 label files without an image left out",
        "1 boxes without area left out",
    } <= set(dataset.notes)


def test_yolo_boxes_are_of_the_image_as_training_turns_it(tmp_path):
    from PIL import Image

    yolo(tmp_path, "0 0.5 0.5 1 1")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (100, 50)).save(tmp_path / "images/a.png", exif=exif)
    coco = read_folder(tmp_path).splits["train"].coco
    assert (coco["images"][0]["width"], coco["images"][0]["height"]) == (50, 100)
    assert coco["annotations"][0]["bbox"] == [0, 0, 50, 100]


def test_difficult_objects_are_ignored_ones(tmp_path):
    things = voc_object("x", (1, 2, 3, 4), difficult=1) + voc_object("x", (5, 6, 7, 8))
    write_text(tmp_path / "Annotations/a.xml", voc(things))
    write_image(tmp_path / "JPEGImages/a.jpg")
    dataset = read_folder(tmp_path)
    assert [a["iscrowd"] for a in dataset.splits["all"].coco["annotations"]] == [1, 0]
    assert "1 difficult objects neither learnt nor counted (iscrowd)" in dataset.notes


def test_voc_that_counts_from_0_is_noticed(tmp_path):
    write_text(tmp_path / "Annotations/a.xml", voc(voc_object("x", (-1, 4, 11, 6))))
    write_image(tmp_path / "JPEGImages/a.jpg")
    dataset = read_folder(tmp_path)
    assert dataset.splits["all"].coco["annotations"][0]["bbox"] == [0, 5, 10, 5]
    assert "boxes count pixels from 0, for one begins at 0" in dataset.notes


def test_voc_lists_say_which_image_is_in_which_part(tmp_path):
    for stem in "abcd":
        write_text(tmp_path / f"Annotations/{stem}.xml", voc(voc_object("x", (1, 2, 3, 4))))
        write_image(tmp_path / f"JPEGImages/{stem}.jpg")
    write_image(tmp_path / "JPEGImages/e.jpg")
    write_text(tmp_path / "ImageSets/Main/trainval.txt", "a\nb\n")
    write_text(tmp_path / "ImageSets/Main/val.txt", "c\n")
    write_text(tmp_path / "ImageSets/Main/x_train.txt", "d  1\n")
    dataset = read_folder(tmp_path)
    names = {split: list(boxes_of(part.coco)) for split, part in dataset.splits.items()}
    assert names == {"train": ["a.jpg", "b.jpg"], "val": ["c.jpg"]}
    assert "1 annotation files that no list names left out" in dataset.notes
    assert "1 images without an annotation file left out" in dataset.notes


def test_a_size_that_the_xml_lacks_is_the_images(tmp_path):
    text = voc(voc_object("x", (1, 2, 3, 4)), width=0, height=0)
    write_text(tmp_path / "Annotations/a.xml", text)
    write_image(tmp_path / "JPEGImages/a.jpg", (33, 22))
    image = read_folder(tmp_path).splits["all"].coco["images"][0]
    assert (image["width"], image["height"]) == (33, 22)


def test_a_folder_in_the_folder_is_found(tmp_path):
    make(tmp_path / "VOCdevkit/VOC2007", "Pascal VOC")
    assert read_folder(tmp_path / "VOCdevkit").format == "Pascal VOC"
    make(tmp_path / "VOCdevkit/VOC2012", "Pascal VOC")
    with pytest.raises(UserError, match="VOC2007.*VOC2012"):
        read_folder(tmp_path / "VOCdevkit")


def test_two_formats_in_a_folder_are_told(tmp_path):
    make(make(tmp_path, "COCO"), "YOLO")
    with pytest.raises(UserError, match="may be COCO .* or YOLO"):
        read_folder(tmp_path)


@pytest.mark.parametrize("places", [{"": "all"}, {"train": "train", "valid": "val"}])
def test_xml_beside_the_images_is_voc(places, tmp_path):
    """LabelImg's folder, and Roboflow's export."""
    for number, place in enumerate(places):
        write_text(tmp_path / place / f"{number}.xml", voc(voc_object("x", (1, 2, 3, 4))))
        write_image(tmp_path / place / f"{number}.JPG")
        write_image(tmp_path / place / f"bare{number}.jpg")
    dataset = read_folder(tmp_path)
    assert dataset.format == "Pascal VOC" and set(dataset.splits) == set(places.values())
    for number, (place, split) in enumerate(places.items()):
        assert boxes_of(dataset.splits[split].coco) == {f"{number}.JPG": [("x", (1, 2, 3, 4), 0)]}
        assert dataset.splits[split].images == tmp_path / place
    assert f"{len(places)} images without an annotation file left out" in dataset.notes


def test_xml_beside_images_of_several_parts_is_told(tmp_path):
    for place in ("valid", "val"):
        write_text(tmp_path / place / "a.xml", voc(voc_object("x", (1, 2, 3, 4))))
        write_image(tmp_path / place / "a.jpg")
    with pytest.raises(UserError, match="val and valid may both be val"):
        read_folder(tmp_path)
    write_text(tmp_path / "b.xml", voc(voc_object("x", (1, 2, 3, 4))))
    write_image(tmp_path / "b.jpg")
    (tmp_path / "val/a.xml").unlink()
    with pytest.raises(UserError, match="keep one of them there"):
        read_folder(tmp_path)


@pytest.mark.parametrize("places", [{"": "all"}, {"train": "train", "valid": "val"}])
@pytest.mark.parametrize("names", ["classes.txt", "_darknet.labels"])
def test_yolo_labels_beside_their_images(places, names, tmp_path):
    """LabelImg's folder, and Roboflow's export for Darknet."""
    root = tmp_path / "images"  # the name above the folder is nothing to it
    for place in places:
        write_text(root / place / names, "x\ny\n")
        write_image(root / place / "a.jpg")
        write_text(root / place / "a.txt", LINES["b"])
        write_image(root / place / "empty.jpg")
    dataset = read_folder(root)
    assert dataset.format == "YOLO" and set(dataset.splits) == set(places.values())
    for split in dataset.splits.values():
        boxes = boxes_of(split.coco)
        assert [box[0] for box in boxes["a.jpg"]] == ["y"] and boxes["empty.jpg"] == []
    assert f"{len(places)} images without a label file taken as empty" in dataset.notes
    assert not [note for note in dataset.notes if "without an image" in note]


@pytest.mark.parametrize("text", ["a photo of 2 cats", "", b"\xff\xfe1 0 0 0 0"])
def test_captions_beside_images_are_no_labels(text, tmp_path):
    write_image(tmp_path / "a.jpg")
    write_text(tmp_path / "a.txt", text)
    with pytest.raises(UserError, match="no format is recognised"):
        read_folder(tmp_path)


@pytest.mark.parametrize("file", ["result.json", "annotations/labels.json"])
def test_one_coco_file_of_any_name_is_the_whole(file, tmp_path):
    """As Label Studio and scripts write it."""
    write_text(tmp_path / file, json.dumps(PARTS["train"]))
    write_text(tmp_path / "notes.json", '{"images": "see the other file"}')
    for name in TRAIN:
        write_image(tmp_path / "images" / name)
    dataset = read_folder(tmp_path)
    assert dataset.format == "COCO" and list(dataset.splits) == ["all"]
    assert dataset.splits["all"].ann_file == tmp_path / file
    assert boxes_of(dataset.splits["all"].coco) == boxes_of(PARTS["train"])


def test_coco_files_of_other_names_say_their_parts(tmp_path):
    for split, name in (("train", "annotations_train.json"), ("val", "my_val-v2.json")):
        write_text(tmp_path / name, json.dumps(PARTS[split]))
        for image in PARTS[split]["images"]:
            write_image(tmp_path / split / image["file_name"])
    dataset = read_folder(tmp_path)
    assert {name: part.images.name for name, part in dataset.splits.items()} == {
        "train": "train",
        "val": "val",
    }
    write_text(tmp_path / "more_train.json", json.dumps(PARTS["train"]))
    with pytest.raises(UserError, match="annotations_train.json and more_train.json may be the"):
        read_folder(tmp_path)


def test_another_format_goes_before_a_coco_file_of_any_name(tmp_path):
    make(tmp_path, "YOLO")
    write_text(tmp_path / "export.json", json.dumps(PARTS["train"]))
    assert read_folder(tmp_path).format == "YOLO"
