"""A run in the directory that a sweep would use must be the run that it asks for."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from fzmm.errors import UserError
from fzmm.run_lock import RunLock
from fzmm.sweep.config_facts import ConfigFacts
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.run_dir.record import read_record
from fzmm.sweep.run_dir.run_progress import read_progress
from fzmm.sweep.run_dir.trained_settings import differences, trained_settings

# Begins with a dot, so that a report does not count what lies in it.
REPLACED = ".replaced"


def other_training(run: PlannedRun, facts: ConfigFacts, arguments: Sequence[str]) -> str | None:
    """Return in what a run was trained otherwise than it is asked for; None if in nothing.

    Args:
        run: A run, begun or not.
        facts: Of its config.
        arguments: What its training is to be called with.
    """
    record = read_record(run.work_dir)
    before = record.get("arguments")
    begun = read_progress(run.work_dir).iteration is not None
    if begun and record["attempts"] and isinstance(before, list) and before != list(arguments):
        theirs, ours = " ".join(map(str, before)), " ".join(arguments)
        return f"`{theirs or 'no arguments'}`, not `{ours or 'no arguments'}`"
    others = differences(facts.settings, trained_settings(run.work_dir))
    more = f" and {len(others) - 1} more differences" if len(others) > 1 else ""
    return others[0] + more if others else None


def check_as_asked(
    runs: Sequence[PlannedRun], facts: Mapping[Path, ConfigFacts], arguments: Sequence[str]
) -> None:
    """Refuse to count, or to continue, runs of other budgets, options or configs as these.

    Raises:
        UserError: If a run has got somewhere with others.
    """
    for run in runs:
        if other := other_training(run, facts[run.config], arguments):
            raise UserError(
                f"{run.work_dir}: was trained with {other}; repeat those, train it anew with "
                "--redo, or give another --work-dir"
            )


def put_aside_others(
    runs: Sequence[PlannedRun],
    facts: Mapping[Path, ConfigFacts],
    arguments: Sequence[str],
    root: str | os.PathLike,
) -> dict[PlannedRun, Path]:
    """Move runs that were trained otherwise away, so that they are trained as asked (``--redo``).

    Returns:
        Where each now lies: ``<root>/.replaced/<config>/seed<k>-<time>``.

    Raises:
        UserError: If one is being trained, or cannot be moved.
    """
    moved = {}
    for run in runs:
        if other_training(run, facts[run.config], arguments) is None:
            continue
        stamp = time.strftime("%Y%m%d_%H%M%S")
        place = Path(root, REPLACED, run.config.stem, f"{run.work_dir.name}-{stamp}")
        _move(run.work_dir, place)
        moved[run] = place
    return moved


def _move(work_dir: Path, place: Path) -> None:
    lock = RunLock(work_dir)
    try:
        if not lock.acquire({"where": "a sweep that puts it aside", "pid": os.getpid()}):
            raise UserError(f"{work_dir}: is being trained; wait for it before --redo")
        place.parent.mkdir(parents=True, exist_ok=True)
        work_dir.rename(place)
    except OSError as error:
        raise UserError(f"{work_dir}: cannot be moved to {place}: {error.strerror}") from None
    finally:
        lock.release()
