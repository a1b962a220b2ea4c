"""``provenance.json``, the record of where a run comes from: its one reader and writer."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fzmm.errors import UserError
from fzmm.utils.files import atomic_write, read_json

FILE_NAME = "provenance.json"
SCHEMA = 1
LOSS_IS = "the loss is"
"""How the ``stop_reason`` of a run begins whose loss was no number any more."""


def tells_divergence(stop_reason: Any) -> bool:
    """Return whether a run ended for that reason."""
    return isinstance(stop_reason, str) and stop_reason.startswith(f"{LOSS_IS} ")


def read_provenance(
    work_dir: str | os.PathLike, notes: list[str] | None = None
) -> dict[str, Any] | None:
    """Return a run's record, or None where there is none that can be read.

    Args:
        work_dir: The run's directory.
        notes: Takes a line about a record that is there and cannot be read.
    """
    path = Path(work_dir, FILE_NAME)
    if not os.path.lexists(path):
        return None
    try:
        return read_json(path)
    except UserError as error:
        if notes is not None:
            notes.append(f"{error}; the run is shown without it")
        return None


def write_provenance(work_dir: str | os.PathLike, record: Mapping[str, Any]) -> None:
    """Write a run's record in one piece."""
    with atomic_write(Path(work_dir, FILE_NAME)) as file:
        json.dump(record, file, indent=2)
        file.write("\n")


def update_provenance(work_dir: str | os.PathLike, **changes: Any) -> None:
    """Change entries of a run's record; does nothing where there is none."""
    record = read_provenance(work_dir)
    if record is not None:
        write_provenance(work_dir, {**record, **changes})


def starting_detector(study: Any) -> str | None:
    """Return what a run's whole detector is loaded from, with its checksum, or None.

    Args:
        study: The ``study`` of a config or record.
    """
    name = study.get("load_from") if isinstance(study, Mapping) else None
    if not isinstance(name, str) or not name:
        return None
    return f"{name} (sha256 {str(study.get('load_from_sha256'))[:8]})"
