"""Which runs are copies or second trainings of one seed: nothing counts twice."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fzmm.analysis.reading.log import Log
from fzmm.analysis.reading.run import Run


def digest(log: Log) -> str:
    """Return a checksum of all that a log holds, times included: equal only for a copy."""
    checksum = hashlib.sha256()
    for columns in (log.train, log.evals):
        for key in sorted(columns):
            checksum.update(key.encode("utf-8", "replace") + columns[key].tobytes())
    for steps in (log.steps, log.eval_steps):
        checksum.update(steps.tobytes())
    return checksum.hexdigest()


def without_copies(runs: list[Run], notes: list[str]) -> list[Run]:
    """Leave out runs whose logs are equal to the last digit, whatever seed they claim.

    Args:
        runs: All runs.
        notes: Gets a line for each that is left out.
    """
    first: dict[tuple, Run] = {}
    for run in runs:
        kept = first.setdefault((*_training(run), run.digest), run)
        if kept is not run:
            notes.append(
                f"{run.folder}: its log is the same as that of {kept.folder}; left out, since a "
                "copy is not a repeat"
            )
    return list(first.values())


def name_apart(runs: list[Run], notes: list[str]) -> None:
    """Give runs of the same name the folder's path as well."""
    names: dict[str, list[Run]] = {}
    for run in runs:
        names.setdefault(run.name, []).append(run)
    for name, same in names.items():
        if len(same) > 1:
            notes.append(f"{len(same)} runs are named {name}; they are told apart by their folders")
            for run in same:
                run.name = f"{name} [{run.folder}]"
                run.notes.append("another run has the same config and seed")


def mark_duplicates(runs: list[Run]) -> None:
    """Let one run of each config and seed count: a finished one, the longest, the first.

    The others stay in the tables of runs, with a note, and are left out of every mean.
    """
    groups: dict[tuple, list[Run]] = {}
    for run in runs:
        if run.seed is not None and run.metric is not None:
            groups.setdefault((*_training(run), run.seed), []).append(run)
    for same in groups.values():
        counted = max(same, key=lambda run: (run.finished is not False, run.log.last_step))
        for run in same:
            if run is not counted:
                run.duplicate_of = counted.name
                run.notes.append(_left_out(run))


def left_out(runs: list[Run]) -> list[str]:
    """Return a line for each run that does not count beside another of its config and seed."""
    return [f"{run.name}: {_left_out(run)}" for run in runs if run.duplicate_of]


def _left_out(run: Run) -> str:
    return f"left out of every mean: {run.duplicate_of} has the same config and seed"


def _training(run: Run) -> tuple:
    """Return what two runs share that differ in the seed alone."""
    lonely = Path(run.folder) if run.train.identity is None else None
    return (
        run.dataset,
        run.train.identity,
        run.val.identity,
        run.model,
        run.initialisation,
        run.frozen_stages,
        run.arm,
        run.schedule,
        lonely,
    )
