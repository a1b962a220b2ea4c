"""How far a training is, read from the tail of its logs: no torch, no config.

``fzmm.analysis`` reads logs thoroughly, for results. This reads little and often, for a table; a
file that makes no sense is noted and costs its own run alone.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from fzmm.errors import UserError
from fzmm.utils.files import read_regular

# In MMEngine's dump of the config: max_iters=300. Nobody trains for 10^9 iterations.
_MAX_ITERS = re.compile(rb"\bmax_iters\s*=\s*(\d[\d_]{0,9})(?![\d_])")
_CHECKPOINT = re.compile(r"iter_([0-9]{1,9})\.pth")
_MAX_NAME = 4096  # bytes of a path, on Linux


@dataclass(frozen=True)
class RunProgress:
    """How far a run is; None is unknown.

    Attributes:
        iteration: Last logged iteration, or that of the last checkpoint if it is all there is.
        max_iters: Length of the schedule.
        best_map: Best ``bbox_mAP`` on the validation images so far, 0 to 1.
        checkpoint: Iteration of the newest ``iter_N.pth``.
        notes: What is wrong with the files.
    """

    iteration: int | None = None
    max_iters: int | None = None
    best_map: float | None = None
    checkpoint: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Log:
    """What one start has logged."""

    iteration: int | None = None
    best_map: float | None = None
    unreadable: int = 0
    no_shares: int = 0


def read_progress(work_dir: str | os.PathLike) -> RunProgress:
    """Read a run directory's logs and the names of its checkpoints."""
    folder = Path(work_dir)
    notes: list[str] = []
    # Folders are named after the time of the start: the newest start says where the run is.
    paths = sorted(folder.glob("*/vis_data/scalars.json"), reverse=True)
    logs = [_read_log(path, folder, notes) for path in paths]
    iterations = [log.iteration for log in logs if log.iteration is not None]
    best = max((log.best_map for log in logs if log.best_map is not None), default=None)
    checkpoint = max(map(_iteration_of, folder.glob("iter_*.pth")), default=-1)
    newest = checkpoint if checkpoint >= 0 else None
    iteration = iterations[0] if iterations else newest
    return RunProgress(iteration, _read_max_iters(folder), best, newest, tuple(notes))


def last_checkpoint(work_dir: Path) -> tuple[str, int | None] | None:
    """Return name and iteration of the checkpoint that MMEngine's ``last_checkpoint`` names.

    The file may be gone. The iteration is None where the name tells none.
    """
    try:
        text = read_regular(work_dir / "last_checkpoint", _MAX_NAME).decode().strip()
    except (UserError, UnicodeDecodeError):
        return None
    # the path may be relative to where training was started: only its name counts
    name = os.path.basename(text)
    iteration = _iteration_of(Path(name))
    return (name, iteration if iteration >= 0 else None) if name else None


def _iteration_of(checkpoint: Path) -> int:
    """Return the iteration in a checkpoint's name, -1 where there is none."""
    match = _CHECKPOINT.fullmatch(checkpoint.name)
    return int(match.group(1)) if match else -1


def _read_max_iters(folder: Path) -> int | None:
    dumps = sorted(folder.glob("*/vis_data/config.py"), reverse=True)
    for dump in [*dumps, *folder.glob("*.py")]:
        try:
            match = _MAX_ITERS.search(read_regular(dump))
        except UserError:
            continue
        if match:
            return int(match.group(1))
    return None


def _read_log(path: Path, folder: Path, notes: list[str]) -> _Log:
    try:
        stat = path.stat()
        log = _parse_log(path, stat.st_mtime_ns, stat.st_size)
    except OSError:
        return _Log()
    except UserError as error:
        notes.append(str(error))
        return _Log()

    name = path.relative_to(folder)
    if log.unreadable:
        notes.append(f"unreadable lines in {name}: {log.unreadable}")
    if log.no_shares:
        notes.append(f"values of bbox_mAP in {name} that are not within 0 and 1: {log.no_shares}")
    return log


@lru_cache(maxsize=1024)
def _parse_log(path: Path, mtime: int, size: int) -> _Log:
    lines = read_regular(path).split(b"\n")
    cut = lines.pop()  # empty, or a line that a kill has cut off: expected, not worth a note
    iteration = best = None
    unreadable = no_shares = 0
    for line in reversed([*lines, cut] if _row(cut) else lines):
        wanted = iteration is None or b"bbox_mAP" in line
        if not line.strip() or (not wanted and line.startswith(b"{") and line.endswith(b"}")):
            continue  # every row between is a training row that a table does not show
        row = _row(line)
        if row is None:
            unreadable += 1
            continue
        # training rows have it; the "step" of a validation may be its epoch
        if iteration is None:
            iteration = count_or_none(row.get("iter"))
        for value in _maps(row):
            if _is_share(value):
                best = value if best is None else max(best, value)
            elif value != -1:  # MMDetection's for "no box to find"
                no_shares += 1

    return _Log(iteration, best, unreadable, no_shares)


def _maps(row: dict[str, Any]) -> list[Any]:
    return [
        value
        for key, value in row.items()
        if key.endswith("bbox_mAP") and not key.startswith("train_split")
    ]


def _is_share(value: Any) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and 0 <= value <= 1


def count_or_none(value: Any) -> int | None:
    """Return a number of iterations, or None for what cannot be one."""
    good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9
    return value if good else None


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):  # also a number of thousands of digits
        return None
    return row if isinstance(row, dict) else None
