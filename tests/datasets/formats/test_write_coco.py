"""COCO files are written whole, over nothing that is not theirs."""

import json
import os

import pytest

from fzmm.datasets.formats.write_coco import coco_bytes, write_coco
from fzmm.errors import UserError

COCO = {"images": [], "annotations": [], "categories": []}


@pytest.mark.parametrize("force", [False, True])
def test_a_pipe_or_a_device_is_neither_read_nor_replaced(force, tmp_path):
    pipe, device = tmp_path / "pipe.json", tmp_path / "device.json"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    for path in (pipe, device):
        with pytest.raises(UserError, match=f"{path.name}: is a pipe or a device; choose another"):
            write_coco(path, COCO, force)
    assert pipe.is_fifo() and device.is_symlink()


def test_another_file_is_replaced_only_when_forced(tmp_path):
    path = tmp_path / "a.json"
    write_coco(path, COCO)
    write_coco(path, COCO)
    other = {**COCO, "info": {}}
    with pytest.raises(UserError, match="is there already and differs"):
        write_coco(path, other)
    write_coco(path, other, force=True)
    assert json.loads(path.read_text()) == other


@pytest.mark.parametrize("name", ["a" * 300, "a.json/b.json", "loop/b.json"])
def test_a_place_that_cannot_be_written_is_one_line(name, tmp_path):
    (tmp_path / "a.json").touch()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UserError, match="cannot be written"):
        write_coco(tmp_path / name, COCO)


@pytest.mark.parametrize("value", [10**40, -(2**70), "\ud800", [1 << 64]])
def test_values_that_fast_json_does_not_take_are_written_too(value):
    assert json.loads(coco_bytes({**COCO, "mine": value}))["mine"] == value
