"""What a sweep notes in a run directory: ``sweep.json``, the attempts and how each ended."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fzmm.files import atomic_write

RECORD_NAME = "sweep.json"
QUEUE_NAME = "slurm.json"


def read_record(work_dir: str | os.PathLike) -> dict[str, Any]:
    """Return a run's record; one that is absent or unreadable counts as empty.

    Returns:
        ``{"schema": 1, "config", "seed", "arguments", "attempts": [...]}``; an
        attempt has ``started``, ``where``, ``from_iteration`` and, when it has ended, ``ended``,
        ``iteration``, ``outcome`` (done, failed or interrupted), ``exit_code`` and ``error``.
    """
    try:
        record = json.loads((Path(work_dir) / RECORD_NAME).read_bytes())
    except (OSError, ValueError):
        record = {}
    if not isinstance(record, dict):
        record = {}
    attempts = record.get("attempts")
    attempts = attempts if isinstance(attempts, list) else []
    return {**record, "attempts": [item for item in attempts if isinstance(item, dict)]}


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
        job = json.loads((Path(work_dir) / QUEUE_NAME).read_bytes())["job"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(job)


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
