"""The state of a run, read from its directory alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from fzmm.run_lock import lock_holder
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.run_dir.record import now, queued_job, read_record, seconds_between
from fzmm.sweep.run_dir.run_progress import RunProgress, named_checkpoint, read_progress


class State(str, Enum):
    """What a run is doing."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class RunStatus:
    """Everything that a table shows of a run.

    Attributes:
        run: The run.
        state: What it is doing.
        progress: How far it is.
        where: Where it runs, or waits, or ran last.
        seconds_left: Estimate from the running attempt's own speed; None if unknown.
        attempts: Attempts so far.
        note: Last error, or what is odd about the directory; empty if nothing is.
    """

    run: PlannedRun
    state: State
    progress: RunProgress
    where: str = ""
    seconds_left: float | None = None
    attempts: int = 0
    note: str = ""


def read_status(run: PlannedRun) -> RunStatus:
    """Read a run's state.

    Any one witness that the run has finished is believed (its provenance, the sweep's record, a
    checkpoint of the last iteration), so that a lost checkpoint or a damaged log never makes a
    finished run train again.
    """
    # First the lock: a run that ends between the two readings is then seen ended, not interrupted.
    holder = lock_holder(run.work_dir)
    record = read_record(run.work_dir)
    progress = read_progress(run.work_dir)
    attempts = record["attempts"]
    last = attempts[-1] if attempts else {}
    where = str(last.get("where") or "")
    notes = list(progress.notes)
    seconds_left = None
    if holder is not None:
        state = State.RUNNING
        where = str(holder.get("where") or where or "another process")
        seconds_left = _seconds_left(last, progress)
    elif is_finished(run.work_dir, progress, attempts):
        state = State.DONE
        missing = _missing_checkpoint(run.work_dir)
        if missing:
            notes.insert(0, f"{missing} is gone; the results stand")
        if progress.iteration is None:
            notes.insert(0, "its log is gone")
    elif last.get("outcome") == State.FAILED:
        state = State.FAILED
        notes.insert(0, str(last.get("error") or "unknown error"))
    elif last or progress.iteration is not None:
        state = State.INTERRUPTED
        notes = [*_resume_notes(run.work_dir, progress), *notes]
        if last.get("error"):
            notes.insert(0, str(last["error"]))
    else:
        state = State.WAITING
    if state in (State.WAITING, State.INTERRUPTED):
        job = queued_job(run.work_dir)
        where = f"slurm {job}" if job else where
    return RunStatus(
        run, state, progress, where, seconds_left, len(attempts), "; ".join(notes).strip()
    )


def is_finished(work_dir: Path, progress: RunProgress, attempts: list[dict[str, Any]]) -> bool:
    """Return whether anything in the directory says that the training reached its end."""
    if any(attempt.get("outcome") == State.DONE for attempt in attempts):
        return True
    finished = _provenance_finished(work_dir)
    if finished is not None:
        return finished
    # Not fzmm's training, or from before it wrote provenance: the last checkpoint tells.
    named = named_checkpoint(work_dir)
    number = named.stem.removeprefix("iter_") if named else ""
    return progress.max_iters is not None and number.isdigit() and int(number) >= progress.max_iters


def _provenance_finished(work_dir: Path) -> bool | None:
    try:
        finished = json.loads((work_dir / "provenance.json").read_bytes())["finished"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return finished is True


def _missing_checkpoint(work_dir: Path) -> str | None:
    named = named_checkpoint(work_dir)
    return named.name if named and not named.exists() else None


def _resume_notes(work_dir: Path, progress: RunProgress) -> list[str]:
    missing = _missing_checkpoint(work_dir)
    if missing is None:
        return []
    start = f"iteration {progress.checkpoint}" if progress.checkpoint else "the beginning"
    return [f"{missing} is gone; goes on from {start}"]


def _seconds_left(attempt: dict[str, Any], progress: RunProgress) -> float | None:
    """Extrapolate the attempt's own pace, its start-up and validations included."""
    if progress.iteration is None or progress.max_iters is None:
        return None
    elapsed = seconds_between(attempt.get("started"), now())
    advanced = progress.iteration - (attempt.get("from_iteration") or 0)
    if not elapsed or advanced <= 0:
        return None
    return elapsed / advanced * max(0, progress.max_iters - progress.iteration)
