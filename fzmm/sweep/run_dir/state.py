"""The state of a run, read from its directory alone."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from fzmm.provenance import read_provenance
from fzmm.run_lock import lock_holder
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.run_dir.record import now, queued_job, read_record, seconds_between
from fzmm.sweep.run_dir.run_progress import RunProgress, last_checkpoint, read_progress


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
    attempts = record["attempts"]
    progress = read_progress(run.work_dir)
    last = attempts[-1] if attempts else {}
    where = last.get("where", "")
    seconds_left = None

    if holder is not None:
        state, notes = State.RUNNING, []
        where = str(holder.get("where") or where or "another process")
        seconds_left = _seconds_left(last, progress)
    elif is_finished(run.work_dir, progress, attempts):
        state, notes = State.DONE, _done_notes(run.work_dir, progress)
        progress = replace(progress, iteration=_last_iteration(run.work_dir, progress))
    elif last.get("outcome") == State.FAILED:
        state, notes = State.FAILED, [last.get("error", "unknown error")]
    elif last or progress.iteration is not None:
        state = State.INTERRUPTED
        notes = [*filter(None, [last.get("error")]), *_resume_notes(run.work_dir, progress)]
    else:
        state, notes = State.WAITING, []

    if state in (State.WAITING, State.INTERRUPTED):
        job = queued_job(run.work_dir)
        where = f"slurm {job}" if job else where
    if not run.reason and isinstance(record.get("reason"), str):
        run = replace(run, reason=record["reason"])
    note = "; ".join([*notes, *progress.notes]).strip()

    return RunStatus(run, state, progress, where, seconds_left, len(attempts), note)


def is_finished(work_dir: Path, progress: RunProgress, attempts: list[dict[str, Any]]) -> bool:
    """Return whether anything in the directory says that the training reached its end."""
    if any(attempt.get("outcome") == State.DONE for attempt in attempts):
        return True
    return trained_to_its_end(work_dir, progress)


def trained_to_its_end(work_dir: Path, progress: RunProgress) -> bool:
    """Return whether the training itself has left word that it reached its end."""
    provenance = read_provenance(work_dir)
    if provenance is not None and "finished" in provenance:
        return provenance["finished"] is True
    # Not fzmm's training, or from before it wrote provenance: the last checkpoint tells.
    name, iteration = last_checkpoint(work_dir) or ("", None)
    return None not in (progress.max_iters, iteration) and iteration >= progress.max_iters


def _last_iteration(work_dir: Path, progress: RunProgress) -> int | None:
    """Return the iteration at which a finished run ended; its last logged row may be before it."""
    provenance = read_provenance(work_dir) or {}
    whole = provenance.get("finished") is True and not provenance.get("stop_reason")
    if whole and progress.max_iters is not None and progress.iteration is not None:
        return progress.max_iters
    seen = [progress.iteration, progress.checkpoint, (last_checkpoint(work_dir) or ("", None))[1]]
    return max((iteration for iteration in seen if iteration is not None), default=None)


def _done_notes(work_dir: Path, progress: RunProgress) -> list[str]:
    missing = _missing_checkpoint(work_dir)
    notes = [f"{missing} is gone; the results stand"] if missing else []
    return ["its log is gone", *notes] if progress.iteration is None else notes


def _missing_checkpoint(work_dir: Path) -> str | None:
    name, _ = last_checkpoint(work_dir) or ("", None)
    # os.path: a name that no file can have is as good as gone
    return name if name and not os.path.exists(work_dir / name) else None


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
