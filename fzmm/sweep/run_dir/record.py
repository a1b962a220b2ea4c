"""What a sweep notes in a run directory: ``sweep.json``, the attempts and how each ended."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fzmm.errors import UserError
from fzmm.sweep.run_dir.run_progress import count_or_none
from fzmm.utils.files import atomic_write, read_json

RECORD_NAME = "sweep.json"
QUEUE_NAME = "slurm.json"


def read_record(work_dir: str | os.PathLike) -> dict[str, Any]:
    """Return a run's record; one that is absent or unreadable counts as empty.

    Returns:
        ``{"schema": 1, "config", "seed", "arguments", "attempts": [...]}``, and ``reason`` where
        the run was chosen for one. An attempt has ``started``, ``where``, ``from_iteration`` and,
        when it has ended, ``ended``, ``iteration``, ``outcome`` (done, failed or interrupted),
        ``exit_code`` and ``error``.
    """
    try:
        record = read_json(Path(work_dir) / RECORD_NAME)
    except UserError:
        record = {}
    attempts = record.get("attempts")
    attempts = attempts if isinstance(attempts, list) else []
    return {
        **record,
        "attempts": [_attempt(entry) for entry in attempts if isinstance(entry, dict)],
    }


def _attempt(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an attempt's entry without values that cannot be what they stand for."""
    attempt = dict(entry)
    for key in ("from_iteration", "iteration"):
        if key in attempt:
            attempt[key] = count_or_none(attempt[key])
    for key in ("started", "ended", "where", "outcome", "error"):
        if not isinstance(attempt.get(key), str):
            attempt.pop(key, None)
    if not isinstance(attempt.get("exit_code"), int):
        attempt.pop("exit_code", None)
    return attempt


def write_record(work_dir: str | os.PathLike, record: dict[str, Any]) -> None:
    """Replace a run's record.

    Raises:
        OSError: If it cannot be written; the old one is left as it was.
    """
    folder = Path(work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / RECORD_NAME) as file:
        file.write(json.dumps({"schema": 1, **record}, indent=1) + "\n")


def queued_job(work_dir: str | os.PathLike) -> str | None:
    """Return the id of the Slurm job that was last submitted for a run, or None."""
    try:
        job = read_json(Path(work_dir) / QUEUE_NAME).get("job")
    except UserError:
        return None
    return job if isinstance(job, str) else None


def note_queued_job(work_dir: str | os.PathLike, job: str) -> None:
    """Note a submitted job, in a file of its own: the job may be writing the record already."""
    folder = Path(work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / QUEUE_NAME) as file:
        file.write(json.dumps(dict(job=job, submitted=now())) + "\n")


def now() -> str:
    """Return the time in ISO 8601, UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def seconds_between(start: Any, end: Any) -> float | None:
    """Return the seconds between two times of a record, or None if one is missing or unreadable."""
    try:
        return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    except (TypeError, ValueError):
        return None
