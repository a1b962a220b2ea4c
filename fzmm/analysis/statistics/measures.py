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


@dataclass(frozen=True)
class LossCurves:
    """The losses of a run at its evaluations, each of shape (evaluations,).

    Attributes:
        steps: Iterations.
        train: Mean of the logged training loss since the evaluation before.
        validation: Loss on the validation images.
    """

    steps: np.ndarray
    train: np.ndarray
    validation: np.ndarray


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


def gain_at_end(run: Run) -> float | None:
    """Return what the last evaluation adds to the best mAP before it, 0 where it adds nothing.

    Returns:
        mAP, or None with fewer than two evaluations.
    """
    _, values = run.curve()
    if len(values) < 2:
        return None
    return max(0.0, float(values[-1] - values[:-1].max()))


def gap(run: Run, evaluations: int | None = None) -> float | None:
    """Return best minus last mAP, the thesis's sign of over-training.

    Args:
        run: The run.
        evaluations: Take so many evaluations, evenly spread and the last among them, since the
            best of many is higher by noise alone than the best of few; all by default.
    """
    _, values = run.curve()
    if not len(values):
        return None
    if evaluations is not None and 1 <= evaluations < len(values):
        step = len(values) / evaluations
        values = values[np.ceil(step * np.arange(1, evaluations + 1)).astype(int) - 1]
    return float(values.max() - values[-1])


def evaluation_noise(run: Run) -> float | None:
    """Return the standard deviation of an evaluation about the run's own smooth curve.

    It comes from second differences, whose variance is 6 times that of an evaluation; their median
    size ignores outliers (0.6745 is the median size of a standard normal). Where the learning rate
    decays only evaluations after that count, and none across a decay: before it mAP climbs and
    swings by far more than among the evaluations that compete to be the best.

    Returns:
        mAP, or None with fewer than three such differences.
    """
    stages = [values for values in _competing(run) if len(values) > 2]
    differences = np.concatenate([np.diff(values, 2) for values in stages] or [[]])
    if len(differences) < 3:
        return None
    return float(np.median(np.abs(differences)) / 0.6745 / np.sqrt(6))


def _competing(run: Run) -> list[np.ndarray]:
    """Return the evaluations of each learning rate since the first decay, or all without one."""
    steps, values = run.curve()
    starts = np.searchsorted(steps, run.milestones, side="right")  # one at a decay is before it
    return np.split(values, starts)[1:] or [values]


def gap_by_noise(run: Run) -> float | None:
    """Return the gap that noise alone would give over as many evaluations.

    The best of n equal evaluations lies about norm.ppf((n - 3/8) / (n + 1/4)) standard deviations
    above the last (Blom 1958): 2.5 for 104 evaluations. Those before the first decay are no equals
    of the ones after it and do not count.
    """
    noise = evaluation_noise(run)
    if noise is None:
        return None
    from scipy.special import ndtri

    count = sum(len(values) for values in _competing(run))
    return noise * float(ndtri((count - 3 / 8) / (count + 1 / 4)))


def as_good_as_best(run: Run) -> tuple[int, int] | None:
    """Return the first and last evaluated iteration that noise does not tell from the best.

    A difference of two evaluations has sqrt(2) times the noise of one; within twice that they
    are not told apart.
    """
    steps, values = run.curve()
    if not len(values):
        return None
    near = steps[values >= values.max() - 2 * np.sqrt(2) * (evaluation_noise(run) or 0.0)]
    return int(near[0]), int(near[-1])


def loss_curves(run: Run) -> LossCurves | None:
    """Return a run's losses, or None with fewer than two evaluations that logged both.

    Training logs the mean over its last iterations, which jumps; validation is a mean over all its
    images. So the training loss is averaged from one evaluation to the next.
    """
    if run.log is None or "val/loss" not in run.log.evals or "loss" not in run.log.train:
        return None
    ends, rows, losses = run.log.eval_steps, run.log.steps, run.log.train["loss"]
    begins = np.concatenate([[0], ends[:-1]])
    since = [
        losses[(rows > begin) & (rows <= end) & np.isfinite(losses)]
        for begin, end in zip(begins, ends, strict=True)
    ]
    train = np.array([values.mean() if len(values) else np.nan for values in since])
    validation = run.log.evals["val/loss"]
    both = np.isfinite(train) & np.isfinite(validation)
    return LossCurves(ends[both], train[both], validation[both]) if both.sum() > 1 else None


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
    last value; a run on a CPU logs ``train_cpu_time`` too, the seconds that its cores worked,
    which is taken first: other programs on the machine lengthen it far less. Otherwise it is the
    sum of ``time - data_time`` over iterations: MMEngine's ``time`` is the whole iteration, waiting
    for data included, and is logged as the mean over the last rows' iterations, so each row stands
    for the iterations since the row before it. Iterations after the last row count at that row's
    rate. None where the run's record says that its times say nothing.
    """
    log = run.log
    if log is None or run.times_not_comparable:
        return None
    for clock in ("train_cpu_time", "train_time"):
        times = [rows[clock] for rows in (log.train, log.evals) if clock in rows]
        logged = [float(np.nanmax(values)) for values in times if np.isfinite(values).any()]
        if logged:
            return max(logged)
    total, data = log.train.get("time"), log.train.get("data_time")

    if total is None or data is None:
        return None
    step_time = total - data
    logged = np.isfinite(step_time)
    if not logged.any():
        return None
    steps, step_time = log.steps[logged], step_time[logged]
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
