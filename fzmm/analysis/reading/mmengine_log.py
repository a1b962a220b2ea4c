"""Reading the JSON-lines logs that MMEngine's ``LocalVisBackend`` writes.

A log holds two kinds of row. A training row (``lr``, ``loss``, ``time``, ``iter`` and ``step``) has
the iteration as its ``step``. A validation row (``coco/bbox_mAP`` ..., ``step``) has the iteration
or the epoch, or 0 where an iteration-based loop was left with ``log_metric_by_epoch=True``; which
of them it is shows in the training rows before and after it, since rows stand in time's order.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from fzmm.errors import UserError

# What the analysis needs of a training row; the losses of single heads would triple the memory.
TRAIN_KEYS = ("lr", "loss", "time", "data_time", "train_time", "memory")
_LARGEST_STEP = 2**53  # beyond it a float64 skips integers, and no training goes
_PLAIN_TYPES = {int, float, type(None)}
_NOT_METRICS = {"step", "iter", "epoch", "time", "data_time", "train_time", "memory", "mode", "lr"}


@dataclass
class Log:
    """One log file (or several starts of one run, merged) as columns.

    Attributes:
        steps: Iterations of the training rows, ascending, shape (rows,).
        train: Columns of the training rows by key, each of shape (rows,), NaN where absent.
        eval_steps: Iteration of each validation row, ascending, shape (evaluations,).
        eval_epochs: Epoch of each validation row, NaN where the log does not count epochs.
        evals: Columns of the validation rows by key, NaN where absent.
        epochs: Epoch of each training row, NaN where the log does not count epochs.
        iterations_per_epoch: Known where the log counts epochs and holds two of them.
        notes: What a reader of the numbers should know: lines cut off, values that are NaN.
    """

    steps: np.ndarray
    train: dict[str, np.ndarray]
    eval_steps: np.ndarray
    eval_epochs: np.ndarray
    evals: dict[str, np.ndarray]
    epochs: np.ndarray
    iterations_per_epoch: int | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def last_step(self) -> int:
        """The last iteration that any row tells of; 0 for a log without rows."""
        ends = [int(steps[-1]) for steps in (self.steps, self.eval_steps) if len(steps)]
        return max(ends, default=0)

    @property
    def first_step(self) -> int:
        """The first iteration that any row tells of; 0 for a log without rows."""
        starts = [int(steps[0]) for steps in (self.steps, self.eval_steps) if len(steps)]
        return min(starts, default=0)


def read_log(
    path: str | Path, keys: tuple[str, ...] | None = TRAIN_KEYS, val_interval: int | None = None
) -> Log:
    """Read one log file.

    Args:
        path: ``scalars.json`` or ``<timestamp>.json`` of a ``vis_data`` folder.
        keys: Training columns to keep; None keeps all.
        val_interval: Iterations between evaluations, where the run's config says so. It places
            validation rows whose ``step`` says nothing.

    Raises:
        UserError: If the file cannot be read or holds no row of a log.
    """
    path = Path(path)
    rows, notes = _read_rows(path)
    train, evals = [], []
    for position, row in enumerate(rows):
        if "iter" in row or "lr" in row or "loss" in row or "train/loss" in row:
            if row.get("mode") == "val":
                evals.append((position, row))
            else:
                train.append((position, row))
        elif "step" in row and any(key not in _NOT_METRICS for key in row):
            evals.append((position, row))
    if not train and not evals:
        raise UserError(
            f"{path}: no training or validation row in it; give the scalars.json of a run"
        )
    if train and any(row.get("mode") == "train" for _, row in train[:1]):
        train, evals = _from_mmdet2(train, evals)
        notes.append("a log of MMDetection 2.x: iterations counted from its rows")
    if any("/" in key for key in (train[0][1] if train else ())):
        train = [(p, _without_prefix(row, "train/")) for p, row in train]
        evals = [(p, _without_prefix(row, "val/")) for p, row in evals]

    train_rows = [row for _, row in train]
    steps = _integers(train_rows, "step", fallback="iter")
    epochs = _column(train_rows, "epoch")
    if keys is None:
        keys = tuple(dict.fromkeys(key for row in train_rows for key in row))
    columns = {key: _column(train_rows, key) for key in keys}
    log = Log(
        steps, columns, *_place_evals(train, evals, steps, epochs, val_interval, notes), epochs
    )
    log.iterations_per_epoch = _iterations_per_epoch(steps, epochs)
    if log.iterations_per_epoch:
        by_epoch = np.isfinite(log.eval_epochs)
        exact = log.eval_epochs * log.iterations_per_epoch
        log.eval_steps = np.where(by_epoch, exact, log.eval_steps).astype(np.int64)
    log.notes = notes + _value_notes(log)
    return _sorted(log)


def merge_starts(logs: list[Log]) -> Log:
    """Join the logs of a run's starts, in the order of the starts; rows of the later start win.

    A start that resumes at iteration r makes everything that earlier starts logged from its first
    row on void: the weights those rows describe were thrown away.
    """
    merged = logs[0]
    for later in logs[1:]:
        begin = later.first_step
        keep, keep_evals = merged.steps < begin, merged.eval_steps < begin
        train = merged.train.keys() | later.train.keys()
        evals = merged.evals.keys() | later.evals.keys()
        merged = Log(
            steps=np.concatenate([merged.steps[keep], later.steps]),
            train={key: _join(merged.train, later.train, key, keep, later.steps) for key in train},
            eval_steps=np.concatenate([merged.eval_steps[keep_evals], later.eval_steps]),
            eval_epochs=np.concatenate([merged.eval_epochs[keep_evals], later.eval_epochs]),
            evals={
                key: _join(merged.evals, later.evals, key, keep_evals, later.eval_steps)
                for key in evals
            },
            epochs=np.concatenate([merged.epochs[keep], later.epochs]),
            iterations_per_epoch=merged.iterations_per_epoch or later.iterations_per_epoch,
            notes=list(dict.fromkeys(merged.notes + later.notes)),
        )
    return merged


def looks_like_log(path: Path) -> bool:
    """Whether the file's first line is a row of an MMEngine or MMDetection 2.x log."""
    try:
        with open(path, "rb") as file:
            row = orjson.loads(file.readline(1 << 20))
    except (OSError, orjson.JSONDecodeError):
        return False
    return isinstance(row, dict) and bool({"step", "mode", "env_info"} & row.keys())


def _read_rows(path: Path) -> tuple[list[dict], list[str]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    lines = [line for line in data.splitlines() if line.strip()]
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


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return np.nan
    try:
        return float(value)
    except OverflowError:  # an integer of hundreds of digits
        return np.nan


def _column(rows: list[dict], key: str) -> np.ndarray:
    values = [row.get(key) for row in rows]
    if set(map(type, values)) <= _PLAIN_TYPES:
        with contextlib.suppress(OverflowError):
            return _plausible(np.array(values, dtype=np.float64))  # None becomes NaN
    return _plausible(np.array([_number(value) for value in values], dtype=np.float64))


def _plausible(values: np.ndarray) -> np.ndarray:
    """Take infinities, and numbers that no log holds and sums overflow with, for NaN."""
    return np.where(np.abs(values) < _LARGEST_STEP, values, np.nan)


def _integers(rows: list[dict], key: str, fallback: str) -> np.ndarray:
    values = _column(rows, key)
    if np.isnan(values).any():
        values = np.where(np.isnan(values), _column(rows, fallback), values)
    return np.where(np.abs(values) < _LARGEST_STEP, values, 0).astype(np.int64)  # NaN: False


def _without_prefix(row: dict, prefix: str) -> dict:
    return {key.removeprefix(prefix): value for key, value in row.items()}


def _place_evals(train, evals, steps, epochs, val_interval, notes):
    """Give each validation row its iteration and, where the log counts epochs, its epoch."""
    positions = np.array([position for position, _ in train], dtype=np.int64)
    placed: list[tuple[int, float, dict]] = []
    unplaced: dict[int, list[dict]] = {}  # by the number of training rows before them
    for position, row in evals:
        after = int(np.searchsorted(positions, position))
        previous = int(steps[after - 1]) if after else 0
        following = int(steps[after]) if after < len(steps) else None
        step = _number(row.get("step", row.get("epoch")))
        if after and step == epochs[after - 1]:
            placed.append((previous, step, row))
        elif (
            0 < step < _LARGEST_STEP
            and step >= previous
            and (following is None or step <= following)
        ):
            placed.append((int(step), np.nan, row))
        else:
            unplaced.setdefault(after, []).append(row)
    for after, rows in unplaced.items():
        previous = int(steps[after - 1]) if after else None
        following = int(steps[after]) if after < len(steps) else None
        if previous is None and following is None:
            notes.append(
                f"{len(rows)} evaluations at an unknown iteration are left out: the log has no "
                "training row beside them"
            )
            continue
        found = _multiples(val_interval, previous, following, len(rows))
        if found is None:
            found = _between(previous, following, len(rows))
            notes.append(
                f"the iteration of {len(rows)} evaluations is not logged; they are placed by the "
                "training rows before and after them"
            )
        placed += [(step, np.nan, row) for step, row in zip(found, rows, strict=True)]
    placed.sort(key=lambda item: item[0])
    rows = [row for _, _, row in placed]
    keys = dict.fromkeys(key for row in rows for key in row)
    return (
        np.array([step for step, _, _ in placed], dtype=np.int64),
        np.array([epoch for _, epoch, _ in placed], dtype=np.float64),
        {key: _column(rows, key) for key in keys if key not in ("step", "iter", "epoch", "mode")},
    )


def _multiples(
    interval: int | None, previous: int | None, following: int | None, count: int
) -> list[int] | None:
    """Return the ``count`` multiples of ``interval`` between two training rows, if there are any.

    A validation row before the training row of iteration n is of an iteration below n. Where more
    multiples fit, as before the first row of a resumed start, the last ones are meant.
    """
    if not interval or interval < 1:
        return None
    first = max(-(-(previous or 0) // interval), 1)
    if following is None:
        return [interval * (first + i) for i in range(count)]
    last = (following - 1) // interval
    return (
        [interval * k for k in range(last - count + 1, last + 1)]
        if last - first + 1 >= count
        else None
    )


def _between(previous: int | None, following: int | None, count: int) -> list[int]:
    if count == 1 or following is None:  # the last iteration that is known to be before it
        start = previous or 0
        return [start + i for i in range(count)]
    grid = np.linspace(previous or 0, following, count + 2)[1:-1]
    return [int(step) for step in grid]


def _iterations_per_epoch(steps: np.ndarray, epochs: np.ndarray) -> int | None:
    """Iterations in an epoch, from the first rows of consecutive epochs.

    Rows are logged every n iterations counted from the epoch's start, so these rows lie exactly
    one epoch apart.
    """
    known = np.isfinite(epochs)
    numbers, first = np.unique(epochs[known], return_index=True)
    if len(numbers) < 2:
        return None
    lengths = np.diff(steps[known][first]) / np.diff(numbers)
    length = float(np.median(lengths))
    return int(length) if length == int(length) and length > 0 else None


def _value_notes(log: Log) -> list[str]:
    notes = []
    loss = log.train.get("loss")
    if loss is not None and np.isfinite(loss).any() and not np.isfinite(loss).all():
        first = int(log.steps[~np.isfinite(loss)][0])
        notes.append(
            f"the loss is not a number at {int((~np.isfinite(loss)).sum())} rows, first "
            f"at iteration {first:,}"
        )
    elif loss is not None and len(loss) and not np.isfinite(loss).any():
        notes.append("the log has no finite loss")
    return notes


def _sorted(log: Log) -> Log:
    """Put rows in the order of iterations; of rows with the same iteration the last one counts."""
    for steps, columns, also in (
        ("steps", log.train, ("epochs",)),
        ("eval_steps", log.evals, ("eval_epochs",)),
    ):
        values = getattr(log, steps)
        if len(values) > 1 and not (np.diff(values) > 0).all():
            # np.unique gives first occurrences; reversed, these are the last ones
            _, index = np.unique(values[::-1], return_index=True)
            index = len(values) - 1 - index
            setattr(log, steps, values[index])
            for key in columns:
                columns[key] = columns[key][index]
            for name in also:
                setattr(log, name, getattr(log, name)[index])
    return log


def _join(first: dict, second: dict, key: str, keep: np.ndarray, later: np.ndarray) -> np.ndarray:
    head = first[key][keep] if key in first else np.full(int(keep.sum()), np.nan)
    tail = second[key] if key in second else np.full(len(later), np.nan)
    return np.concatenate([head, tail])


def _from_mmdet2(train, evals):
    """Rewrite rows of MMDetection 2.x, whose ``iter`` starts again in each epoch."""
    length = max((int(_number(row.get("iter")) or 0) for _, row in train), default=0)
    for _, row in train:
        epoch = _number(row.get("epoch"))
        row["step"] = (max(epoch, 1) - 1) * length + _number(row.get("iter"))
    for _, row in evals:
        row["step"] = row.pop("epoch", None)
        row.pop("iter", None)
        row.pop("lr", None)
    return train, evals
