"""Reading the JSON-lines logs that MMEngine's ``LocalVisBackend`` writes.

A log holds two kinds of row. A training row (``lr``, ``loss``, ``time``, ``iter`` and ``step``) has
the iteration as its ``step``. A validation row (``coco/bbox_mAP`` ..., ``step``) has the iteration
or the epoch, or 0 where an iteration-based loop was left with ``log_metric_by_epoch=True``; which
of them it is shows in the training rows before and after it, since rows stand in time's order.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fzmm.analysis.reading.log import Log, in_order
from fzmm.analysis.reading.log_lines import LARGEST_STEP, column, integers, number, read_rows
from fzmm.errors import UserError

# What the analysis needs of a training row; the losses of single heads would triple the memory.
TRAIN_KEYS = ("lr", "loss", "time", "data_time", "train_time", "train_cpu_time", "memory")
_NOT_METRICS = {*TRAIN_KEYS, "step", "iter", "epoch", "mode"} - {"loss"}


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
    rows, notes = read_rows(path)
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
    steps = integers(train_rows, "step", fallback="iter")
    epochs = column(train_rows, "epoch")
    if keys is None:
        keys = tuple(dict.fromkeys(key for row in train_rows for key in row))
    columns = {key: column(train_rows, key) for key in keys}
    log = Log(
        steps, columns, *_place_evals(train, evals, steps, epochs, val_interval, notes), epochs
    )

    log.iterations_per_epoch = _iterations_per_epoch(steps, epochs)
    if log.iterations_per_epoch:
        by_epoch = np.isfinite(log.eval_epochs)
        exact = log.eval_epochs * log.iterations_per_epoch
        log.eval_steps = np.where(by_epoch, exact, log.eval_steps).astype(np.int64)

    log.notes = notes + _value_notes(log)
    return in_order(log)


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
        step = number(row.get("step", row.get("epoch")))
        if after and step == epochs[after - 1]:
            placed.append((previous, step, row))
        elif (
            0 < step < LARGEST_STEP
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
        steps_between = _multiples(val_interval, previous, following, len(rows))
        if steps_between is None:
            steps_between = _between(previous, following, len(rows))
            notes.append(
                f"the iteration of {len(rows)} evaluations is not logged; they are placed by the "
                "training rows before and after them"
            )
        placed += [(step, np.nan, row) for step, row in zip(steps_between, rows, strict=True)]

    placed.sort(key=lambda evaluation: evaluation[0])
    rows = [row for _, _, row in placed]
    keys = dict.fromkeys(key for row in rows for key in row)
    return (
        np.array([step for step, _, _ in placed], dtype=np.int64),
        np.array([epoch for _, epoch, _ in placed], dtype=np.float64),
        {key: column(rows, key) for key in keys if key not in ("step", "iter", "epoch", "mode")},
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
    logged = np.isfinite(epochs)
    numbers, first = np.unique(epochs[logged], return_index=True)
    if len(numbers) < 2:
        return None
    lengths = np.diff(steps[logged][first]) / np.diff(numbers)
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


def _from_mmdet2(train, evals):
    """Rewrite rows of MMDetection 2.x, whose ``iter`` starts again in each epoch."""
    length = max((int(number(row.get("iter")) or 0) for _, row in train), default=0)
    for _, row in train:
        epoch = number(row.get("epoch"))
        row["step"] = (max(epoch, 1) - 1) * length + number(row.get("iter"))
    for _, row in evals:
        row["step"] = row.pop("epoch", None)
        row.pop("iter", None)
        row.pop("lr", None)
    return train, evals
