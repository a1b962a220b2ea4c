"""The rows of a run's log as columns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


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


def in_fractions(log: Log) -> None:
    """Turn mAP that was logged in percent into fractions; a note tells of it."""
    for key, values in log.evals.items():
        if "mAP" in key and np.isfinite(values).any() and 1 < np.nanmax(values) <= 100:
            log.evals[key] = np.where(values >= 0, values / 100, values)
            log.notes.append(f"{key} is logged in percent and read as such")


def in_order(log: Log) -> Log:
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
