"""How far a training is, read from the tail of its logs: no torch, no config.

``fzmm.analysis`` reads logs thoroughly, for results. This reads little and often, for a table.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

# In MMEngine's dump of the config: max_iters=300
_MAX_ITERS = re.compile(rb"\bmax_iters\s*=\s*(\d[\d_]*)")


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


def read_progress(work_dir: str | os.PathLike) -> RunProgress:
    """Read a run directory's logs and the names of its checkpoints."""
    folder = Path(work_dir)
    notes = []
    iteration = best = None
    checkpoint = max(checkpoint_iterations(folder), default=None)
    # Folders are named after the time of the start: the newest start says where the run is.
    for log in sorted(folder.glob("*/vis_data/scalars.json"), reverse=True):
        last, highest, broken = _read_scalars(log)
        if broken:
            notes.append(f"unreadable lines in {log.relative_to(folder)}: {broken}")
        if iteration is None:
            iteration = last
        if highest is not None:
            best = highest if best is None else max(best, highest)
    if iteration is None:
        iteration = checkpoint
    return RunProgress(iteration, _read_max_iters(folder), best, checkpoint, tuple(notes))


def checkpoint_iterations(work_dir: Path) -> list[int]:
    """Return the iterations of the run's ``iter_N.pth``, unordered."""
    names = (path.stem.removeprefix("iter_") for path in work_dir.glob("iter_*.pth"))
    return [int(name) for name in names if name.isdigit()]


def named_checkpoint(work_dir: Path) -> Path | None:
    """Return the checkpoint that MMEngine's ``last_checkpoint`` names, whether or not it exists."""
    try:
        text = (work_dir / "last_checkpoint").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    # the path may be relative to where training was started: only its name counts
    return work_dir / Path(text).name if text else None


def _read_max_iters(folder: Path) -> int | None:
    dumps = sorted(folder.glob("*/vis_data/config.py"), reverse=True)
    for dump in [*dumps, *folder.glob("*.py")]:
        try:
            found = _MAX_ITERS.search(dump.read_bytes())
        except OSError:
            continue
        if found:
            return int(found.group(1))
    return None


def _read_scalars(log: Path) -> tuple[int | None, float | None, int]:
    """Return last iteration, best mAP and the number of unreadable lines of one log."""
    try:
        stat = log.stat()
        return _parse_scalars(log, stat.st_mtime_ns, stat.st_size)
    except OSError:
        return None, None, 0


@lru_cache(maxsize=1024)
def _parse_scalars(log: Path, mtime: int, size: int) -> tuple[int | None, float | None, int]:
    lines = log.read_bytes().split(b"\n")
    cut = lines.pop()  # empty, or a line that a kill has cut off: expected, not worth a note
    last = best = None
    broken = 0
    for line in reversed([*lines, cut] if _row(cut) else lines):
        wanted = last is None or b"bbox_mAP" in line
        if not line.strip() or (not wanted and line.startswith(b"{") and line.endswith(b"}")):
            continue  # every row between is a training row that a table does not show
        row = _row(line)
        if row is None:
            broken += 1
            continue
        step = row.get("iter")  # training rows have it; the "step" of a validation may be its epoch
        if last is None and isinstance(step, int):
            last = step
        for key, value in row.items():
            found = key.endswith("bbox_mAP") and not key.startswith("train_split")
            if found and isinstance(value, float | int) and (best is None or value > best):
                best = float(value)
    return last, best, broken


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
