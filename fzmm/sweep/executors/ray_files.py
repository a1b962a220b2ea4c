"""A work directory on a node that shares no folder: sent there, and copied back as it grows."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from fzmm.errors import UserError
from fzmm.run_lock import LOCK_NAME, lock_holder
from fzmm.sweep.run_dir.record import RECORD_NAME
from fzmm.utils.files import atomic_write

MARK = ".collected"  # a directory that holds it is a copy, which the next attempt may replace
PIECE = 1 << 24  # bytes in one call
_CHECKPOINT = re.compile(r"(iter|best)_.*\.pth")
# What says how far a run is comes after what it speaks of.
_LAST = {"last_checkpoint": 1, "provenance.json": 2, RECORD_NAME: 3}

Listing = dict[str, tuple[int, int]]


def listing(work_dir: Path) -> Listing:
    """Return modification time and size of what is worth keeping, in the order to copy it.

    That is all but locks, temporary files and checkpoints that are neither the last nor the best.
    """
    files = {}
    for path in sorted(path for path in work_dir.rglob("*") if path.is_file()):
        if not path.name.startswith(".") and path.name != LOCK_NAME:
            with contextlib.suppress(FileNotFoundError):  # an outdated checkpoint, just removed
                stat = path.stat()
                files[str(path.relative_to(work_dir))] = (stat.st_mtime_ns, stat.st_size)

    last = max((name for name in files if name.startswith("iter_")), key=_iteration, default="")
    kept = [name for name in files if not name.startswith("iter_") or name == last]
    return {name: files[name] for name in sorted(kept, key=lambda name: _LAST.get(name, 0))}


def _iteration(name: str) -> int:
    digits = re.search(r"[0-9]+", name)
    return int(digits.group()) if digits else -1


def read_piece(path: Path, offset: int) -> bytes | None:
    """Return a piece of a file, empty at its end; None if it has gone."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(PIECE)
    except FileNotFoundError:
        return None


def pieces(read: Callable[[int], bytes | None]) -> Iterator[bytes]:
    """Yield a file piece by piece.

    Raises:
        FileNotFoundError: If it goes meanwhile.
    """
    offset = 0
    while piece := read(offset):
        yield piece
        offset += len(piece)
    if piece is None:
        raise FileNotFoundError


def copy_changes(
    work_dir: Path, there: Listing, known: Listing, read: Callable[[str, int], bytes | None]
) -> None:
    """Make a directory here equal to one elsewhere, each file in one piece.

    Args:
        work_dir: The directory here.
        there: ``listing`` of the other.
        known: What was copied before; brought up to date.
        read: Returns a piece of a file of the other.
    """
    for name, version in there.items():
        if known.get(name) == version:
            continue
        target = work_dir / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError), atomic_write(target, "wb") as file:
            for piece in pieces(lambda offset, name=name: read(name, offset)):
                file.write(piece)
            known[name] = version

    for path in work_dir.glob("*.pth"):
        if _CHECKPOINT.fullmatch(path.name) and path.name not in there:
            path.unlink(missing_ok=True)


def make_room(work_dir: Path, seconds: float) -> None:
    """Empty a node's directory of an earlier attempt, once its training has ended.

    Args:
        work_dir: The directory.
        seconds: How long to wait for that.

    Raises:
        UserError: If it holds something else, or a training that goes on.
    """
    host = socket.gethostname()
    if work_dir.exists() and not (work_dir / MARK).exists() and any(work_dir.iterdir()):
        raise UserError(
            f"{host}: {work_dir} holds files that no sweep has put there; move them away"
        )
    deadline = time.monotonic() + seconds
    while lock_holder(work_dir) is not None:
        if time.monotonic() > deadline:
            raise UserError(f"{host}: an earlier training in {work_dir} goes on; end it")
        time.sleep(0.2)
    shutil.rmtree(work_dir, ignore_errors=True)
    work_dir.mkdir(parents=True)
    (work_dir / MARK).write_text("A copy: its files are copied back to the sweep's folder.\n")
