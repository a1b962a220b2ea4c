"""Copying a run directory back from a node, and the check that the node has the sweep's data."""

import json
import os

import pytest
from PIL import Image

from fzmm.errors import UserError
from fzmm.run_lock import RunLock
from fzmm.sweep.executors import ray_files
from fzmm.sweep.executors.same_data import check_same_data, data_identity

CONFIG = """
model = dict(type="FasterRCNN")
train_dataloader = val_dataloader = dict(
    dataset=dict(ann_file="{folder}/train.json", data_prefix=dict(img="{folder}/")))
"""


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def copy(there, here, known):
    def read(name, offset):
        return ray_files.read_piece(there / name, offset)

    ray_files.copy_changes(here, ray_files.listing(there), known, read)


def test_what_is_kept_follows_the_node(tmp_path, monkeypatch):
    monkeypatch.setattr(ray_files, "PIECE", 3)  # so that files come in pieces
    there, here, known = tmp_path / "there", tmp_path / "here", {}
    here.mkdir()
    write(there, {"iter_5.pth": "five", "iter_10.pth": "ten and more", "best_map_iter_5.pth": "b"})
    write(there, {"a/scalars.json": "1\n", "sweep.json": "{}", "run.lock": "x", ".tmp": "x"})
    copy(there, here, known)
    names = sorted(str(path.relative_to(here)) for path in here.rglob("*") if path.is_file())
    assert names == ["a/scalars.json", "best_map_iter_5.pth", "iter_10.pth", "sweep.json"]
    assert (here / "iter_10.pth").read_text() == "ten and more"

    (there / "best_map_iter_5.pth").unlink()
    write(there, {"iter_15.pth": "15", "best_map_iter_15.pth": "c", "a/scalars.json": "1\n2\n"})
    copy(there, here, known)
    assert sorted(path.name for path in here.glob("*.pth")) == [
        "best_map_iter_15.pth",
        "iter_15.pth",
    ]
    assert (here / "a/scalars.json").read_text() == "1\n2\n"


def test_a_checkpoint_that_goes_while_it_is_read_leaves_what_was_there(tmp_path):
    write(tmp_path, {"last_checkpoint": "old"})
    ray_files.copy_changes(tmp_path, {"last_checkpoint": (1, 1)}, {}, lambda name, offset: None)
    assert (tmp_path / "last_checkpoint").read_text() == "old"
    assert os.listdir(tmp_path) == ["last_checkpoint"]


def test_records_come_after_what_they_speak_of(tmp_path):
    write(tmp_path, {"sweep.json": "", "provenance.json": "", "last_checkpoint": ""})
    write(tmp_path, {"iter_5.pth": "", "z.txt": ""})
    order = ["iter_5.pth", "z.txt", "last_checkpoint", "provenance.json", "sweep.json"]
    assert list(ray_files.listing(tmp_path)) == order


def test_a_node_replaces_only_what_a_sweep_has_put_there(tmp_path):
    ray_files.make_room(tmp_path / "run", 0)
    write(tmp_path / "run", {"iter_5.pth": "of an earlier attempt"})
    ray_files.make_room(tmp_path / "run", 0)
    assert os.listdir(tmp_path / "run") == [ray_files.MARK]

    lock = RunLock(tmp_path / "run")
    lock.acquire({})
    with pytest.raises(UserError, match="an earlier training in .*run goes on"):
        ray_files.make_room(tmp_path / "run", 0)
    lock.release()

    write(tmp_path / "own", {"iter_5.pth": "precious"})
    with pytest.raises(UserError, match="own holds files that no sweep has put there"):
        ray_files.make_room(tmp_path / "own", 0)
    assert (tmp_path / "own" / "iter_5.pth").read_text() == "precious"


@pytest.fixture
def data(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    box = dict(id=1, image_id=1, category_id=1, bbox=[1, 1, 4, 4], area=16, iscrowd=0)
    content = dict(
        images=[dict(id=1, file_name="a.png", width=8, height=8)],
        annotations=[box],
        categories=[dict(id=1, name="cell")],
    )
    (tmp_path / "train.json").write_text(json.dumps(content))
    (tmp_path / "config.py").write_text(CONFIG.format(folder=tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    "file, message",
    [
        ("train.json", "train.json: it differs, or is not there"),
        ("a.png", "train.json: its images differ"),
        ("config.py", "config.py is not that of the sweep"),
    ],
)
def test_other_data_or_another_config_is_refused(data, file, message):
    config = data / "config.py"
    asked = data_identity(config)
    check_same_data(config, asked)
    if file == "config.py":
        config.write_text(config.read_text().replace("FasterRCNN", "RetinaNet"))
    elif file == "a.png":
        Image.new("RGB", (8, 8), "red").save(data / file)
    else:
        (data / file).write_text((data / file).read_text() + "\n")
    with pytest.raises(UserError, match=message):
        check_same_data(config, asked)
    if file == "train.json":
        (data / file).unlink()
        with pytest.raises(UserError, match=message):
            check_same_data(config, asked)
