import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fzmm.datasets.subsets.outputs import appear_together, refuse_existing
from fzmm.errors import UserError


def test_a_folder_is_never_replaced_by_a_file(tmp_path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(UserError, match=r"a\.json: is a folder"):
        refuse_existing(tmp_path, ["a.json"], force=True)


def test_files_appear_when_the_block_ends(tmp_path):
    out = tmp_path / "a" / "b"
    with appear_together(out) as stage:
        (stage / "one.json").write_text("1")
        (stage / "two.json").write_text("2")
        assert not (out / "one.json").exists()
    assert sorted(path.name for path in out.iterdir()) == ["one.json", "two.json"]


def test_nothing_is_left_when_the_block_fails(tmp_path):
    with pytest.raises(RuntimeError):
        with appear_together(tmp_path / "a" / "b") as stage:
            (stage / "one.json").write_text("1")
            raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_replaced_files_come_back_when_a_later_one_cannot_be_moved(tmp_path, monkeypatch):
    for name in ("one.json", "three.json"):
        (tmp_path / name).write_text("old")
    replace = os.replace

    def fail_at_two(source, target):
        if os.path.basename(target) == "two.json":
            raise OSError(errno.EIO, "Input/output error")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_at_two)
    with pytest.raises(UserError, match="Input/output error"):
        with appear_together(tmp_path) as stage:
            for name in ("one.json", "three.json", "two.json", "zero.json"):
                (stage / name).write_text("new")
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"one.json": "old", "three.json": "old"}


@pytest.mark.parametrize("existing", [False, True])
def test_a_file_where_the_folder_should_be_is_refused(tmp_path, existing):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" if existing else tmp_path / "file" / "inside"
    with pytest.raises(UserError, match=r"file.*cannot be written"):
        with appear_together(out):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_nothing(tmp_path):
    mount = tmp_path / "disk"
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)], capture_output=True
    )
    if done.returncode:
        pytest.skip("mounting a small file system needs root and a kernel that allows it")
    try:
        (mount / "kept.json").write_text("old")
        with pytest.raises(UserError, match="No space left on device"):
            with appear_together(mount / "out") as stage:
                (stage / "one.json").write_text("1")
                (stage / "two.json").write_bytes(bytes(1 << 20))
        assert [path.name for path in mount.iterdir()] == ["kept.json"]
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_a_size_limit_leaves_nothing(tmp_path):
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from fzmm.datasets.subsets.outputs import appear_together\n"
        "from fzmm.errors import UserError\n"
        "try:\n"
        "    with appear_together('out') as stage:\n"
        "        (stage / 'one.json').write_text('1')\n"
        "        (stage / 'two.json').write_bytes(bytes(1 << 20))\n"
        "except UserError as error:\n"
        "    print(error)\n"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert "out: cannot be written (File too large)" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_call_that_is_killed_while_its_files_move_is_completed_by_the_next(tmp_path):
    """Killed between the first and the second of two files, one of which replaces an older one."""
    code = (
        "import os, signal\n"
        "from fzmm.datasets.subsets.outputs import appear_together\n"
        "replace = os.replace\n"
        "def die_at_two(source, target):\n"
        "    if os.path.basename(target) == 'two.json':\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    replace(source, target)\n"
        "os.replace = die_at_two\n"
        "with appear_together('.') as stage:\n"
        "    (stage / 'one.json').write_text('new')\n"
        "    (stage / 'two.json').write_text('new')\n"
    )
    (tmp_path / "two.json").write_text("old")
    (tmp_path / ".make_subsets-stale").mkdir()
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment)
    assert done.returncode == -9
    assert (tmp_path / "two.json").read_text() == "old"  # never missing

    with appear_together(tmp_path) as stage:
        assert (tmp_path / "one.json").read_text() == (tmp_path / "two.json").read_text() == "new"
        (stage / "three.json").write_text("new")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["one.json", "three.json", "two.json"]


def test_two_calls_at_once(tmp_path):
    with appear_together(tmp_path, ["one.json"], force=False) as stage:
        with pytest.raises(UserError, match="another call is writing subsets there"):
            with appear_together(tmp_path):
                pass
        (stage / "one.json").write_text("1")
    with pytest.raises(UserError, match="exists already"):
        with appear_together(tmp_path, ["one.json"], force=False):
            pass
