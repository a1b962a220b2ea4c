"""On what a run was trained: times and memory compare only where that is the same.

The thesis takes identical servers for that reason (section 3.3); here each comparison of times
keeps to the runs of one kind of hardware.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fzmm.analysis.reading.run import Run
from fzmm.analysis.reading.typed_values import count
from fzmm.analysis.statistics.cohorts import Cohort, is_complete

NOT_RECORDED = "devices not recorded"
CHANGED = "more than one kind of device"


def devices(start: dict[str, Any]) -> list[str]:
    """Return the kinds of devices that a run was started on."""
    names = start.get("devices")
    if not isinstance(names, list):
        return []
    # records of the first runs say "1 threads" of what later ones call "1 thread"
    return sorted({re.sub(r"\b1 threads$", "1 thread", str(name)) for name in names})


def hardware(run: Run) -> str | None:
    """Return what a run was trained on, such as ``4 × NVIDIA T4``.

    The number is that of its processes: one that sees eight GPUs uses one of them.

    Returns:
        ``NOT_RECORDED`` where no start says; None where its starts differ, so that its time
        compares with nothing.
    """
    return hardware_of(run.starts)


def hardware_of(starts: Sequence[dict[str, Any]]) -> str | None:
    """Return the hardware of a run as ``hardware`` does, from the records of its starts."""
    kinds = {kind for start in starts if (kind := _kind(start))}
    if len(kinds) > 1:
        return None
    return kinds.pop() if kinds else NOT_RECORDED


def device_text(run: Run) -> str:
    """Say what a run was trained on."""
    return hardware(run) or CHANGED


def _kind(start: dict[str, Any]) -> str:
    names = " + ".join(devices(start))
    processes = count(start.get("world_size")) or 1
    return f"{processes} × {names}" if names and processes > 1 else names


def by_hardware(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Sort runs by their hardware, the one with the most runs first."""
    kinds: dict[str, list[Run]] = {}
    for run in runs:
        if (kind := hardware(run)) is not None:
            kinds.setdefault(kind, []).append(run)
    return dict(sorted(kinds.items(), key=lambda entry: (-len(entry[1]), entry[0])))


def cohorts_by_hardware(cohort: Cohort) -> dict[str, Cohort]:
    """Split a cohort by the hardware of its finished runs, the one with the most runs first."""
    kinds = by_hardware(cohort.complete_runs)
    return {
        kind: Cohort(cohort.label, runs, arm_names=tuple(cohort.arms.values()))
        for kind, runs in kinds.items()
    }


def changed_hardware(runs: Sequence[Run]) -> list[Run]:
    """Return the finished runs that went on with other hardware than they were started on."""
    return [run for run in runs if is_complete(run) and hardware(run) is None]


def several_hardware(runs: Sequence[Run]) -> bool:
    """Whether runs come from more than one kind of hardware."""
    return len({hardware(run) for run in runs}) > 1


def shared_hardware(*groups: Sequence[Run]) -> str | None:
    """Return the hardware on which each group has runs, or None.

    Of several the one where the smallest group is largest, then the one with the most runs.
    """
    kinds = [by_hardware(group) for group in groups]
    shared = set.intersection(*map(set, kinds)) if kinds else set()

    def rank(kind: str) -> tuple[int, int, str]:
        sizes = [len(runs[kind]) for runs in kinds]
        return -min(sizes), -sum(sizes), kind

    return min(shared, key=rank, default=None)
