"""``cal_train_time``: MMDetection's command, for epoch-based and iteration-based logs."""

from __future__ import annotations

import numpy as np

from fzmm.analysis.reading.log import Log
from fzmm.analysis.reading.read_runs import read_one_log
from fzmm.errors import UserError
from fzmm.utils.durations import decimal_duration


def cal_train_time(paths: list[str], include_outliers: bool = False) -> None:
    """Print the slowest and fastest epoch and the average time of an iteration for each log.

    In a log that does not count epochs, the stretch between two evaluations is taken for one (the
    study evaluates once for each pass over the data); without evaluations, the whole log.

    Args:
        paths: Log files.
        include_outliers: Count the first logged value of each epoch too.

    Raises:
        UserError: If a log has no training row with ``time``.
    """
    for path in paths:
        log = read_one_log(path, keys=("time", "data_time", "train_time"))
        times = log.train.get("time")
        if times is None or not np.isfinite(times).any():
            raise UserError(f"{path}: no training row with a time; was the log cut off early?")
        print(f"{'-' * 5}Analyze train time of {path}{'-' * 5}")
        averages, names = _averages(log, include_outliers)
        noun = "epoch" if np.isfinite(log.epochs).any() else "interval"
        slowest, fastest = int(np.argmax(averages)), int(np.argmin(averages))
        print(f"slowest {noun} {names[slowest]}, average time is {averages[slowest]:.4f} s/iter")
        print(f"fastest {noun} {names[fastest]}, average time is {averages[fastest]:.4f} s/iter")
        print(f"time std over {noun}s is {np.std(averages):.4f}")
        print(f"average iter time: {np.mean(averages):.4f} s/iter")
        print(f"training time without data loading: {decimal_duration(_without_data(log))}\n")


def _averages(log: Log, include_outliers: bool) -> tuple[np.ndarray, list[str]]:
    """Return the mean time of an iteration in each epoch, and the epochs' names."""
    times = log.train["time"]
    if np.isfinite(log.epochs).any():
        parts = [(log.epochs == epoch, f"{epoch:.0f}") for epoch in np.unique(log.epochs)]
    else:
        ends = [int(step) for step in log.eval_steps] or [log.last_step]
        if ends[-1] < log.last_step:
            ends.append(log.last_step)
        starts = [0, *ends[:-1]]
        parts = [
            ((log.steps > start) & (log.steps <= end), f"{i + 1} (iterations {start + 1}-{end})")
            for i, (start, end) in enumerate(zip(starts, ends, strict=True))
        ]

    averages, names = [], []
    for inside, name in parts:
        values = times[inside & np.isfinite(times)]
        # the first value holds the start of workers and of cudnn; a lone value is all there is
        values = values if include_outliers or len(values) < 2 else values[1:]
        if len(values):
            averages.append(float(values.mean()))
            names.append(name)

    return np.array(averages), names


def _without_data(log: Log) -> float | None:
    from fzmm.analysis.reading.run import Run
    from fzmm.analysis.statistics.measures import training_time

    return training_time(Run(name="", folder=None, log=log))
