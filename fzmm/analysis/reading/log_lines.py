"""The lines of a JSON-lines log: rows, and columns of plausible numbers."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from fzmm.errors import UserError
from fzmm.utils.files import open_regular, read_regular
from fzmm.utils.gzipped import unpack

LARGEST_STEP = 2**53  # beyond it a float64 skips integers, and no training goes
_PLAIN_TYPES = {int, float, type(None)}


def looks_like_log(path: Path) -> bool:
    """Whether the file's first line is a row of an MMEngine or MMDetection 2.x log."""
    try:
        with open_regular(path) as file:
            row = orjson.loads(file.readline(1 << 20))
    except (OSError, UserError, orjson.JSONDecodeError):
        return False
    return isinstance(row, dict) and bool({"step", "mode", "env_info"} & row.keys())


def read_rows(path: Path) -> tuple[list[dict], list[str]]:
    """Return the rows of a log, plain or gzipped, and notes on lines that are none.

    Raises:
        UserError: If the file cannot be read, is empty or holds no row.
    """
    lines = [line for line in unpack(read_regular(path), str(path)).splitlines() if line.strip()]
    if not lines:
        raise UserError(f"{path}: the log is empty; the run has logged nothing yet")

    try:  # one call for the whole file is several times faster than one for each line
        rows = orjson.loads(b"[" + b",".join(lines) + b"]")
        bad = 0
    except orjson.JSONDecodeError:
        rows = [row for row in map(_parse_line, lines) if row is not None]
        bad = len(lines) - len(rows)

    kept = [row for row in rows if isinstance(row, dict)]
    bad += len(rows) - len(kept)
    if not kept:
        raise UserError(f"{path}: not a JSON-lines log (no line of it is a JSON object)")
    if bad == 1 and _parse_line(lines[-1]) is None:
        return kept, ["the last line of the log is cut off and left out"]

    return kept, [f"{bad} lines of the log are not JSON and left out"] if bad else []


def _parse_line(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        pass
    try:  # Python's reader knows NaN and Infinity, which MMEngine writes and JSON does not have
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def number(value: Any) -> float:
    """Return a number as float, NaN for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return np.nan
    try:
        return float(value)
    except OverflowError:  # an integer of hundreds of digits
        return np.nan


def column(rows: list[dict], key: str) -> np.ndarray:
    """Return a key's values, shape (rows,); NaN where it is absent or implausible."""
    values = [row.get(key) for row in rows]
    if set(map(type, values)) <= _PLAIN_TYPES:
        with contextlib.suppress(OverflowError):
            return _plausible(np.array(values, dtype=np.float64))  # None becomes NaN
    return _plausible(np.array([number(value) for value in values], dtype=np.float64))


def _plausible(values: np.ndarray) -> np.ndarray:
    """Take infinities, and numbers that no log holds and sums overflow with, for NaN."""
    return np.where(np.abs(values) < LARGEST_STEP, values, np.nan)


def integers(rows: list[dict], key: str, fallback: str) -> np.ndarray:
    """Return a key's values as integers, another key's where it is absent, else 0."""
    values = column(rows, key)
    if np.isnan(values).any():
        values = np.where(np.isnan(values), column(rows, fallback), values)
    return np.where(np.abs(values) < LARGEST_STEP, values, 0).astype(np.int64)  # NaN: False
