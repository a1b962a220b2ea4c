"""The measures of a run, by the definitions of the thesis (section 3.3 and chapter 5).

mAP values are fractions (0.377), as MMDetection logs them; differences of mAP are in the same unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fzmm.analysis.reading.run import Run


@dataclass(frozen=True)
class BestEvaluation:
    """The best evaluation of a run."""

    value: float
    iteration: int


def best(run: Run, metric: str | None = None) -> BestEvaluation | None:
    """Return the run's highest mAP and the first iteration that reached it."""
    steps, values = run.curve(metric)
    if not len(values):
        return None
    index = int(np.argmax(values))
    return BestEvaluation(float(values[index]), int(steps[index]))


def last(run: Run, metric: str | None = None) -> float | None:
    """Return the mAP of the run's last evaluation."""
    _, values = run.curve(metric)
    return float(values[-1]) if len(values) else None


def gap(run: Run) -> float | None:
    """Return best minus last mAP, the thesis's sign of over-training."""
    top = best(run)
    return None if top is None else top.value - last(run)


def first_evaluation(run: Run) -> float | None:
    """Return the mAP of the run's first evaluation."""
    _, values = run.curve()
    return float(values[0]) if len(values) else None


def decay_gain(run: Run, decay: int = 0) -> float | None:
    """Return the mAP increase at a learning-rate decay (Table 2 for the first).

    It is the first evaluation after the milestone minus the last evaluation at or before it. An
    evaluation at the milestone itself counts as before: it sees weights that have not yet been
    trained at the lower rate.

    Args:
        run: The run.
        decay: Which decay, 0 for the first.

    Returns:
        The difference, or None where the run has no such decay or no evaluation on a side of it.
    """
    if decay >= len(run.milestones):
        return None
    steps, values = run.curve()
    before = values[steps <= run.milestones[decay]]
    after = values[steps > run.milestones[decay]]
    return float(after[0] - before[-1]) if len(before) and len(after) else None


def change_after(run: Run, decay: int, metric: str | None = None) -> float | None:
    """Return how the mAP moves after a decay's gain: per 1,000 iterations, to the next decay.

    It is the slope of a least-squares line through the evaluations after the decay up to the next
    one (or the run's end).

    Returns:
        mAP per 1,000 iterations, or None with fewer than 2 evaluations there.
    """
    if decay >= len(run.milestones):
        return None
    steps, values = run.curve(metric)
    end = run.milestones[decay + 1] if decay + 1 < len(run.milestones) else np.inf
    inside = (steps > run.milestones[decay]) & (steps <= end)
    if inside.sum() < 2:
        return None
    return float(np.polyfit(steps[inside] / 1000.0, values[inside], 1)[0])


def training_time(run: Run) -> float | None:
    """Return the seconds spent in training steps: no data or model loading, no validation.

    That is the thesis's equation 6. Where ``train_time`` is logged (cumulative seconds), it is its
    last value. Otherwise it is the sum of ``time - data_time`` over iterations: MMEngine's ``time``
    is the whole iteration, waiting for data included, and is logged as the mean over the last
    rows' iterations, so each row stands for the iterations since the row before it. Iterations
    after the last row count at that row's rate.
    """
    log = run.log
    if log is None:
        return None
    clock = log.train.get("train_time")
    times = [] if clock is None else [clock]
    times += [log.evals["train_time"]] if "train_time" in log.evals else []
    logged = [float(np.nanmax(values)) for values in times if np.isfinite(values).any()]
    if logged:
        return max(logged)
    total, data = log.train.get("time"), log.train.get("data_time")
    if total is None or data is None:
        return None
    step_time = total - data
    known = np.isfinite(step_time)
    if not known.any():
        return None
    steps, step_time = log.steps[known], step_time[known]
    iterations = np.diff(steps, prepend=0)
    end = log.last_step
    if run.finished and run.max_iterations and run.max_iterations - end <= iterations[-1]:
        end = run.max_iterations  # the rest was too short for a row of its own
    return float((step_time * iterations).sum() + step_time[-1] * max(end - steps[-1], 0))


def epochs(run: Run) -> float | None:
    """Return how often the schedule goes through the training images, or None where unknown."""
    if not run.max_iterations:
        return None
    if run.log is not None and run.log.iterations_per_epoch:
        return run.max_iterations / run.log.iterations_per_epoch
    if run.train.images and run.schedule.batch_size and run.schedule.world_size:
        images = run.max_iterations * run.schedule.batch_size * run.schedule.world_size
        return images / run.train.images
    return None


def spread(values: list[float]) -> tuple[float, float] | None:
    """Return max minus min, and that relative to the mean, as the thesis gives its spreads."""
    if len(values) < 2:
        return None
    width = max(values) - min(values)
    mean = float(np.mean(values))
    return width, width / mean if mean else np.nan
