"""A study of a folder: the four paths from what it holds, a validation part where there is none."""

import json

import pytest
from mmengine.config import Config

from fzmm.commands.convert import main as convert
from fzmm.datasets.coco import read_annotations
from fzmm.errors import UserError
from fzmm.study.new_study import new_study
from fzmm.study.study_options import StudyOptions
from fzmm.toy.dataset import write_toy

SMALL = dict(fractions=[1], frozen=[4], depth=18, pretrained="none", gpus=1)


@pytest.fixture
def coco_folder(tmp_path):
    write_toy(tmp_path / "coco", train=12, val=6)
    return tmp_path / "coco"


@pytest.fixture
def yolo_folder(tmp_path, coco_folder):
    """The training part as YOLO, without a validation part."""
    folder = tmp_path / "yolo"
    (folder / "labels").mkdir(parents=True)
    (coco_folder / "train").rename(folder / "images")
    coco = json.loads((coco_folder / "annotations/instances_train.json").read_text())
    lines = {image["id"]: [] for image in coco["images"]}
    ids = [category["id"] for category in coco["categories"]]
    for a in coco["annotations"]:
        x, y, w, h = (value / 128 for value in a["bbox"])
        box = f"{x + w / 2} {y + h / 2} {w} {h}"
        lines[a["image_id"]].append(f"{ids.index(a['category_id'])} {box}")
    for image in coco["images"]:
        stem = image["file_name"].rsplit(".", 1)[0]
        (folder / f"labels/{stem}.txt").write_text("\n".join(lines[image["id"]]))
    (folder / "classes.txt").write_text("\n".join(c["name"] for c in coco["categories"]))
    return folder


def make(tmp_path, **options):
    folders = dict(configs_dir=tmp_path / "configs", data_dir=tmp_path / "subsets")
    return new_study(StudyOptions("mine", **folders, **{**SMALL, **options}))


def files_of(*folders):
    paths = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in paths}


def test_a_coco_folder_is_used_as_it_is(coco_folder, tmp_path):
    study = make(tmp_path, data=coco_folder, fractions=[1, 0.5], variations=1)
    assert study.report.train.ann_file == coco_folder / "annotations/instances_train.json"
    assert study.report.val.images == coco_folder / "val"
    assert not (tmp_path / "subsets/mine_train.json").exists()
    header = study.configs.runs[0].parent.joinpath("_base_/mine100.py").read_text()
    assert f"--data {coco_folder}" in header.replace("\n#    ", "")
    assert "--train-ann" not in header


def test_a_folder_without_validation_is_cut_always_in_the_same_way(yolo_folder, tmp_path):
    with pytest.raises(UserError, match="--val-fraction 0.2"):
        make(tmp_path, data=yolo_folder)
    assert not (tmp_path / "subsets").exists()

    study = make(tmp_path, data=yolo_folder, val_fraction=0.25)
    halves = [read_annotations(tmp_path / f"subsets/mine_{half}.json") for half in ("train", "val")]
    ids = [{image["id"] for image in half["images"]} for half in halves]
    assert (len(ids[0]), len(ids[1])) == (9, 3) and not ids[0] & ids[1]
    for half in halves:
        assert all(a["image_id"] in {i["id"] for i in half["images"]} for a in half["annotations"])
    dataset = Config.fromfile(study.configs.runs[0]).train_dataloader.dataset
    assert dataset.ann_file == str(tmp_path / "subsets/mine_train.json")
    assert dataset.data_prefix.img == f"{yolo_folder / 'images'}/"
    assert any("cut into 9 and 3 images" in note for note in study.notes)

    before = files_of(tmp_path / "subsets", tmp_path / "configs")
    make(tmp_path, data=yolo_folder, val_fraction=0.25, seed=0)
    assert files_of(tmp_path / "subsets", tmp_path / "configs") == before


def test_another_conversion_is_refused_unless_forced(yolo_folder, tmp_path):
    make(tmp_path, data=yolo_folder, val_fraction=0.25)
    label = next((yolo_folder / "labels").glob("*.txt"))
    label.write_text("0 0.5 0.5 0.3 0.3")
    with pytest.raises(UserError, match="differs"):
        make(tmp_path, data=yolo_folder, val_fraction=0.25)
    make(tmp_path, data=yolo_folder, val_fraction=0.25, force=True)


@pytest.mark.parametrize(
    "options, pattern",
    [
        (dict(), "--train-ann: is missing"),
        (dict(val_fraction=0.2), "--train-ann: is missing"),
        (dict(data="x", val_fraction=1), "--val-fraction 1"),
        (dict(data="x", val_fraction=float("nan")), "--val-fraction nan"),
        (dict(data="missing"), "missing: no such folder"),
    ],
)
def test_options_that_do_not_go_together(options, pattern, tmp_path):
    with pytest.raises(UserError, match=pattern):
        make(tmp_path, **options)


def test_a_validation_part_that_is_there_is_not_cut_again(coco_folder, tmp_path):
    with pytest.raises(UserError, match="has a validation part"):
        make(tmp_path, data=coco_folder, val_fraction=0.2)
    paths = dict(train_ann="a", val_ann="b", train_images="c", val_images="d")
    with pytest.raises(UserError, match="goes with --data"):
        make(tmp_path, **paths, val_fraction=0.2)
    with pytest.raises(UserError, match="in place of the four paths"):
        make(tmp_path, **paths, data=coco_folder)


def test_convert_writes_a_file_a_part_and_says_what_it_took(
    coco_folder, yolo_folder, tmp_path, capsys
):
    (yolo_folder / "images").rename(coco_folder / "train")
    convert([str(coco_folder), "--out", str(tmp_path / "out/both.json")])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "both_train.json",
        "both_val.json",
    ]
    assert "taken as COCO" in capsys.readouterr().out
    assert len(read_annotations(tmp_path / "out/both_val.json")["images"]) == 6


def test_convert_writes_one_file_and_replaces_no_other(yolo_folder, tmp_path):
    out = tmp_path / "F.json"
    convert([str(yolo_folder), "--out", str(out)])
    assert len(read_annotations(out)["images"]) == 12
    convert([str(yolo_folder), "--out", str(out)])
    out.write_text("mine")
    with pytest.raises(UserError, match="differs"):
        convert([str(yolo_folder), "--out", str(out)])
    assert out.read_text() == "mine"
    convert([str(yolo_folder), "--out", str(out), "--force"])


def rename_images(folder, name):
    """Call the images of a folder in the order of their names, and their labels alike."""
    for index, path in enumerate(sorted((folder / "images").iterdir())):
        label = folder / f"labels/{path.stem}.txt"
        label.rename(folder / f"labels/{name(index)}.txt")
        path.rename(folder / f"images/{name(index)}{path.suffix}")


def test_groups_stay_on_one_side_and_within_one_subset(yolo_folder, tmp_path):
    rename_images(yolo_folder, lambda index: f"video{index // 2}_{index}")
    options = dict(data=yolo_folder, val_fraction=0.34, fractions=[1, 0.25], variations=2)
    study = make(tmp_path, **options, group_by=r"(video\d+)_")

    def videos(path):
        return {i["file_name"].split("_")[0] for i in read_annotations(path)["images"]}

    parts = [videos(tmp_path / f"subsets/mine_{half}.json") for half in ("train", "val")]
    assert (len(parts[0]), len(parts[1])) == (4, 2) and not parts[0] & parts[1]
    subsets = [videos(tmp_path / f"subsets/mine25-{number}.json") for number in (1, 2)]
    assert not subsets[0] & subsets[1] and all(len(subset) == 1 for subset in subsets)
    notes = "\n".join(study.notes)
    assert "--group-by keeps 6 groups, the largest of 2 images" in notes
    assert "validation is off its share by" in notes and "mine25-1: off its share by" in notes
    header = study.configs.runs[0].parent.joinpath("_base_/mine100.py").read_text()
    assert "--group-by" in header and r"'(video\d+)_'" in header
    before = files_of(tmp_path / "subsets", tmp_path / "configs")
    make(tmp_path, **options, group_by=r"(video\d+)_")
    assert files_of(tmp_path / "subsets", tmp_path / "configs") == before
    with pytest.raises(UserError, match="exists already|differs"):
        make(tmp_path, **options)


def test_groups_on_both_sides_of_a_given_split_are_refused(coco_folder, tmp_path):
    with pytest.raises(UserError, match=r"of 10 groups have images both in training and in"):
        make(tmp_path, data=coco_folder, group_by=r"(\d)\.png")
    study = make(tmp_path, data=coco_folder, group_by=r"(\d)\.png", allow_leak=True)
    assert any("groups have images both" in note for note in study.report.notes)
