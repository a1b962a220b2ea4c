"""Means, intervals, differences and the noise between repeats."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics import measures, thesis
from fzmm.analysis.statistics.cohorts import Cohort

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value with a 95% interval, where the runs allow one.

    Attributes:
        value: Mean, or difference of means.
        low: Lower end; None without repeats.
        high: Upper end; None without repeats.
        n: Number of runs (of the smaller group, for a difference).
        method: How the interval was made.
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int = 1
    method: str = "one run, no interval"

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return self.low is not None

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies wholly on one side of zero: then it is a difference."""
        return self.known and (self.low > 0 or self.high < 0)


def mean(values: list[float]) -> Estimate:
    """Return the mean with Student's t interval (scipy.stats)."""
    values = [value for value in values if value is not None and math.isfinite(value)]
    if not values:
        raise ValueError("mean of no values")
    centre = float(np.mean(values))
    if len(values) < 2:
        return Estimate(centre, n=len(values))
    from scipy import stats

    error = stats.sem(values)
    if error == 0:  # equal to the last digit; t.interval would give NaN
        return Estimate(centre, centre, centre, len(values), "equal repeats")
    low, high = stats.t.interval(CONFIDENCE, len(values) - 1, loc=centre, scale=error)
    return Estimate(centre, float(low), float(high), len(values), "Student's t")


def difference(first: list[float], second: list[float]) -> Estimate:
    """Return mean(first) - mean(second) with Welch's interval (scipy.stats.ttest_ind)."""
    value = float(np.mean(first) - np.mean(second))
    n = min(len(first), len(second))
    if n < 2:
        return Estimate(value, n=n, method="no repeats, no interval")
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        return Estimate(value, value, value, n, "equal repeats")
    from scipy import stats

    interval = stats.ttest_ind(first, second, equal_var=False).confidence_interval(CONFIDENCE)
    return Estimate(value, float(interval.low), float(interval.high), n, "Welch's t")


def bootstrap_mean(values: list[float], seed: int = 0) -> Estimate:
    """Return the mean with a BCa bootstrap interval over runs (scipy.stats.bootstrap).

    It is for values that are far from normal, such as gaps, which cannot be negative. With fewer
    than 6 runs a bootstrap says little, and there is no interval.
    """
    centre = float(np.mean(values))
    if len(values) < 6:
        return Estimate(centre, n=len(values), method="fewer than 6 runs, no interval")
    if np.ptp(values) == 0:
        return Estimate(centre, centre, centre, len(values), "equal runs")
    from scipy import stats

    result = stats.bootstrap(
        (np.asarray(values),),
        np.mean,
        confidence_level=CONFIDENCE,
        n_resamples=2000,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Estimate(centre, float(result.low), float(result.high), len(values), "BCa bootstrap")


@dataclass(frozen=True)
class Noise:
    """How much a value moves when nothing but the seed changes.

    Attributes:
        value: The largest max - min over repeats of one set-up, in the value's unit.
        relative: The largest of them relative to its mean.
        measured: False where there are no repeats and the thesis's figure stands in.
        runs: The repeats of the set-up with the largest spread.
        deviation: Pooled standard deviation within set-ups; of the stand-in, its estimate.
        freedom: Degrees of freedom of ``deviation``; 0 for the stand-in.
    """

    value: float
    relative: float
    measured: bool
    runs: tuple[Run, ...] = ()
    deviation: float = 0.0
    freedom: int = 0


# The mean range of 3 draws from a normal distribution, in standard deviations (Tippett 1925).
_RANGE_OF_3 = 1.693


def noise(cohort: Cohort) -> Noise:
    """Return the noise of the best mAP within a cohort's set-ups.

    Without any repeats it is the thesis's 0.4 percentage points (1.6%), marked as not measured.
    """
    return measured_noise(cohort, best_map) or Noise(
        thesis.NOISE_MAP,
        thesis.REPEATS["best"][1] / 100,
        False,
        deviation=thesis.NOISE_MAP / _RANGE_OF_3,
    )


def measured_noise(cohort: Cohort, measure: Callable[[Run], float | None]) -> Noise | None:
    """Return the noise of a measure within a cohort's set-ups, or None without any repeats."""
    widest, squares, freedom = None, 0.0, 0
    relative = 0.0
    for runs in repeats(cohort):
        known = [(measure(run), run) for run in runs]
        values = [value for value, _ in known if value is not None]
        if len(values) < 2:
            continue
        width, share = measures.spread(values)
        squares += float(np.sum((np.array(values) - np.mean(values)) ** 2))
        freedom += len(values) - 1
        relative = max(relative, share)
        if widest is None or width > widest[0]:
            widest = width, tuple(run for value, run in known if value is not None)
    if widest is None:
        return None
    return Noise(widest[0], relative, True, widest[1], math.sqrt(squares / freedom), freedom)


def best_map(run: Run) -> float | None:
    """Return a run's best mAP, or None."""
    top = measures.best(run)
    return None if top is None else top.value


def repeats(cohort: Cohort) -> list[list[Run]]:
    """Return the finished runs of each set-up (data amount and scenario) that has any."""
    cells = (
        cohort.cell(amount, trainable)
        for amount in cohort.amounts
        for trainable in cohort.scenarios
    )
    return [runs for runs in cells if runs]
