import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import _load_checkpoint

from fzmm.engine.runner.checkpoints import find_resume_checkpoint, install_safe_loading
from fzmm.errors import UserError
from fzmm.utils.checkpoint_file import load_checkpoint

ROOT = Path(__file__).resolve().parents[3]


class Evil:
    """Unpickling it runs a command."""

    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return os.mkdir, (self.trace,)


class GetAttribute:
    """Unpickling it reaches for something by name."""

    def __init__(self, name):
        self.name = name

    def __reduce__(self):
        return getattr, (HistoryBuffer, self.name)


@pytest.fixture
def evil(tmp_path):
    path = tmp_path / "evil.pth"
    torch.save(dict(state_dict={}, meta=Evil(tmp_path / "trace")), path)
    return path


@pytest.fixture(params=[False, True])
def installed(request):
    """Install safe loading for one test, with and without trust."""
    schemes = dict(CheckpointLoader._schemes)
    names = ("load_from_local", "load_url")
    before = {name: getattr(mmengine_checkpoint, name) for name in names}
    install_safe_loading(trust=request.param)
    yield request.param
    CheckpointLoader._schemes = schemes
    for name, function in before.items():
        setattr(mmengine_checkpoint, name, function)


def test_a_run_s_own_checkpoint_is_data(finished_run):
    checkpoint = load_checkpoint(finished_run / "iter_5.pth")
    assert checkpoint["meta"]["iter"] == 5
    assert len(checkpoint["message_hub"]["log_scalars"]["train/loss"].data[0]) == 5
    assert checkpoint["message_hub"]["log_scalars"]["train/loss"].statistics("mean") > 0


def test_code_is_refused_and_named(evil, tmp_path):
    with pytest.raises(
        UserError, match=r"evil.pth: needs the class posix.mkdir.*--trust-checkpoint"
    ):
        load_checkpoint(evil)
    assert not (tmp_path / "trace").exists()
    load_checkpoint(evil, trust=True)
    assert (tmp_path / "trace").exists()


@pytest.mark.parametrize("name", ["__init__", "__subclasses__", "no_such_thing"])
def test_getattr_reaches_nothing_else(name, tmp_path):
    torch.save(dict(meta=GetAttribute(name)), tmp_path / "a.pth")
    with pytest.raises(UserError, match="a.pth: needs the class builtins.getattr"):
        load_checkpoint(tmp_path / "a.pth")


def test_everything_mmengine_loads(installed, evil, finished_run, tmp_path):
    assert _load_checkpoint(str(finished_run / "iter_4.pth"), "cpu")["meta"]["iter"] == 4
    url = finished_run.joinpath("iter_4.pth").as_uri()
    folder = str(tmp_path / "hub")
    assert mmengine_checkpoint.load_url(url, model_dir=folder)["meta"]["iter"] == 4
    for load in (
        lambda: _load_checkpoint(str(evil), "cpu"),
        lambda: mmengine_checkpoint.load_url(evil.as_uri(), model_dir=folder),
    ):
        if installed:
            load()
            (tmp_path / "trace").rmdir()
        else:
            with pytest.raises(UserError, match="evil.pth: needs the class posix.mkdir"):
                load()
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("content", [b"", b"rubbish" * 100, None])
def test_damaged(content, finished_run, tmp_path):
    path = tmp_path / "iter_9.pth"
    whole = (finished_run / "iter_4.pth").read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(UserError, match="iter_9.pth"):
        load_checkpoint(path)
    (tmp_path / "iter_3.pth").write_bytes(whole)
    assert find_resume_checkpoint(tmp_path) == str(tmp_path / "iter_3.pth")


def test_a_flipped_byte_is_found(finished_run, tmp_path):
    """torch.load itself does not look at the checksums."""
    content = bytearray((finished_run / "iter_4.pth").read_bytes())
    content[len(content) // 2] ^= 255
    (tmp_path / "iter_4.pth").write_bytes(content)
    with pytest.raises(UserError, match="none of its 1 checkpoints can be read"):
        find_resume_checkpoint(tmp_path)


def test_nothing_to_resume(tmp_path):
    (tmp_path / "best_coco_bbox_mAP_iter_7.pth").write_bytes(b"x")
    assert find_resume_checkpoint(tmp_path) is None
    with pytest.raises(UserError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "none.pth")


def test_tool_refuses(evil, config, tmp_path):
    """tools/test.py ends with one line and runs nothing."""
    done = subprocess.run(
        [sys.executable, "tools/test.py", str(config()), str(evil)],
        cwd=ROOT,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"error: {evil}: needs the class posix.mkdir")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "trace").exists()


def test_names_and_files_that_are_no_checkpoints(finished_run, tmp_path):
    for name in ("iter_².pth", f"iter_{'9' * 200}.pth", "iter_٣.pth"):
        (tmp_path / name).write_bytes(b"x")
    os.mkfifo(tmp_path / "iter_8.pth")  # reading it would wait for ever
    assert find_resume_checkpoint(tmp_path) is None
    shutil.copy(finished_run / "iter_4.pth", tmp_path)
    assert find_resume_checkpoint(tmp_path) == str(tmp_path / "iter_4.pth")
