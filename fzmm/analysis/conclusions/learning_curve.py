"""Whether more data would help, and how many images a wanted mAP takes.

All of it is said at equal iterations: a study trains every data amount for the same number of them,
so twice the data is seen half as often.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from fzmm.analysis.conclusions.next_runs import MARGIN
from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics import growth_laws, measures
from fzmm.analysis.statistics.cohorts import Cohort
from fzmm.analysis.statistics.estimates import Estimate, around, difference
from fzmm.analysis.statistics.noise import (
    REPEATS,
    Noise,
    best_map,
    best_map_noise,
    noise_of_values,
)

# Beyond four times the data at hand an extrapolation is a guess: every law is far from its points.
FARTHEST = 4.0

YES, NO, OPEN = "yes", "no", "cannot be told"

TWO_SIZES = "two sizes"
NO_RISE = "no rise"
BOUND = "bound"
CONTRADICTED = "contradicted"
NO_NOISE = "unknown noise"


@dataclass(frozen=True)
class Point:
    """What one data amount reached, with the scenario that is best there.

    Attributes:
        size: Images, or fraction of the full set where images are unknown.
        label: Name of the data amount.
        value: Mean best mAP of the best scenario, with the interval of the pooled noise.
        trainable: That scenario.
        n: Number of runs behind it.
        runs: The runs, where they were read.
    """

    size: float
    label: str
    value: Estimate
    trainable: int
    n: int
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True)
class ClassGain:
    """How much one class gained from the second-largest to the largest data amount.

    Attributes:
        name: The class.
        gain: Difference of mean AP at the best evaluation of each run; no interval for one run.
    """

    name: str
    gain: Estimate


@dataclass(frozen=True)
class DataForTarget:
    """How much data a wanted mAP takes.

    Attributes:
        target: The mAP.
        low: Fewest images (or fraction) by any law, at the optimistic end of its interval.
        high: Most, at the pessimistic end; infinite where a law may never reach the target.
        reached: Whether a data amount of the study has reached it.
        limit: Four times the largest data amount; ends beyond it are extrapolated too far to trust.
    """

    target: float
    low: float
    high: float
    reached: bool
    limit: float


@dataclass(frozen=True)
class LearningCurve:
    """Best mAP against the amount of data, and what follows for more of it.

    Attributes:
        points: What was measured, one for each data amount, the smallest size first.
        last_two: Those of the two largest sizes, between which ``observed`` lies.
        unit: ``images`` or ``fraction``.
        observed: Gain from the second-largest to the largest size, measured.
        noise: The noise of the best mAP; None is unknown.
        margin: Least gain that counts as help, in mAP.
        prediction: The laws and their resampled fits, or None.
        obstacle: Why there is no prediction: ``TWO_SIZES`` (how a curve flattens takes three),
            ``NO_RISE`` (the last step is not positive), ``BOUND`` (the points flatten or rise as
            no law does), ``CONTRADICTED`` (no law fits them) or ``NO_NOISE`` (no repeats tell how
            far the points may be off); empty where there is one.
        gain: Predicted gain of twice the largest amount, or None: the mean of the laws and the
            union of their 95% intervals, from zero where the last step does not exceed its noise.
        target_map: mAP that is wanted, if one is.
        left_out: Points of data amounts whose best scenario others lack: these count for a wanted
            mAP alone.
        class_gains: Gain of each class over the last step, the largest first; empty where the logs
            do not tell AP by class.
    """

    points: tuple[Point, ...]
    last_two: tuple[Point, Point]
    unit: str
    observed: Estimate
    noise: Noise | None
    margin: float = MARGIN
    prediction: growth_laws.Prediction | None = None
    obstacle: str = ""
    gain: Estimate | None = None
    target_map: float | None = None
    left_out: tuple[Point, ...] = ()
    class_gains: list[ClassGain] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """``YES`` or ``NO`` where the whole interval is above or below the margin; or ``OPEN``."""
        if self.gain is None:
            return OPEN
        if self.gain.low > self.margin:
            return YES
        return NO if self.gain.high < self.margin else OPEN

    @property
    def largest(self) -> float:
        """Size of the largest data amount."""
        return self.points[-1].size

    @property
    def laws(self) -> list[str]:
        """Names of the laws behind the prediction."""
        return [law.law.name for law in self.prediction.fits] if self.prediction else []

    def band(self, sizes) -> np.ndarray:
        """Return predicted mAP at some sizes: middle, lower and upper end, shape (3, sizes)."""
        return self.prediction.band(np.asarray(sizes) / self.largest)

    def size_that_tells(self) -> float | None:
        """Return the least size at which measuring would show a gain above the margin.

        There the predicted gain exceeds the margin by the 95% half-width of a difference of means
        of as many runs as the largest amount has; None where up to four times the data would not.
        """
        if self.prediction is None:
            return None
        n = self.last_two[1].n
        half = around(0.0, [(1.0, n), (-1.0, n)], self.noise).high
        for multiple in np.linspace(1.25, FARTHEST, 12):
            if self.prediction.gain(multiple)[0] > self.margin + half:
                return float(multiple * self.largest)
        return None

    def data_for(self, target: float) -> DataForTarget | None:
        """Return how much data a wanted mAP takes, or None without a prediction."""
        every = (*self.points, *self.left_out)
        reached = [point.size for point in every if point.value.value >= target]
        limit = FARTHEST * self.largest
        if reached:
            return DataForTarget(target, min(reached), min(reached), True, limit)
        if self.prediction is None:
            return None
        low, high = self.prediction.share_for(target)
        return DataForTarget(
            target, max(low, 1.0) * self.largest, high * self.largest, False, limit
        )


def learning_curve(
    cohort: Cohort, margin: float = MARGIN, target_map: float | None = None
) -> LearningCurve | None:
    """Fit the laws of growth to the best scenario of each data amount.

    Args:
        cohort: Comparable runs.
        margin: Least gain that counts as help, in mAP.
        target_map: mAP whose price in data is asked for.

    Returns:
        The curve, or None where fewer than two data amounts have finished runs.
    """
    spread = best_map_noise(cohort)
    cells = {amount: cohort.cells(amount) for amount in cohort.amounts}
    cells = {amount: runs for amount, runs in cells.items() if runs}
    points, unit = _points(cohort, _shared(cells), spread)
    if len({point.size for point in points}) < 2:
        return None

    kept = {(point.label, point.trainable) for point in points}
    tops = _points(cohort, cells, spread)[0]
    left_out = tuple(top for top in tops if (top.label, top.trainable) not in kept)
    return replace(_curve(points, unit, spread, margin, target_map), left_out=left_out)


def curve_of_means(
    means: list[tuple[float, float, int]], deviation: float, freedom: int, margin: float = MARGIN
) -> LearningCurve:
    """Fit the laws of growth to means that are at hand, as a simulation has them.

    Args:
        means: Size, mean best mAP and number of runs of each data amount.
        deviation: Standard deviation of the best mAP between repeats.
        freedom: Its degrees of freedom.
        margin: Least gain that counts as help, in mAP.
    """
    spread = Noise(deviation, freedom, REPEATS)
    points = [
        Point(size, f"{size:g}", around(value, [(1.0, n)], spread), 0, n)
        for size, value, n in means
    ]
    return _curve(sorted(points, key=lambda point: point.size), "fraction", spread, margin)


def _curve(
    points: list[Point],
    unit: str,
    spread: Noise | None,
    margin: float,
    target_map: float | None = None,
) -> LearningCurve:
    below, top = _last_two(points)
    rise = top.value.value - below.value.value
    observed = around(rise, [(1.0, top.n), (-1.0, below.n)], spread)
    prediction = _predict(points, observed, spread)
    predicted = isinstance(prediction, growth_laws.Prediction)
    return LearningCurve(
        points=tuple(points),
        last_two=(below, top),
        unit=unit,
        observed=observed,
        noise=spread,
        margin=margin,
        prediction=prediction if predicted else None,
        obstacle="" if predicted else prediction,
        gain=_gain_of_twice(prediction, observed, len(points)) if predicted else None,
        target_map=target_map,
        class_gains=_class_gains(below, top),
    )


def _predict(points: list[Point], observed: Estimate, spread: Noise | None):
    """Return the prediction, or the obstacle to one."""
    sizes = np.array([point.size for point in points])
    if len(set(sizes)) == 2:
        return TWO_SIZES
    if observed.value <= 0:
        return NO_RISE
    if spread is None:
        return NO_NOISE
    return growth_laws.predict(
        sizes / sizes[-1],
        [point.value.value for point in points],
        [spread.deviation / math.sqrt(point.n) for point in points],
        spread.freedom,
    )


def _gain_of_twice(prediction, observed: Estimate, n: int) -> Estimate:
    middle, low, high = prediction.gain(2.0)
    # laws that only rise cannot say so themselves: the last step may be noise, and the curve flat
    if not (observed.known and observed.low > 0):
        low = 0.0
    return Estimate(middle, low, high, n, "union of the laws' resampled fits")


def _points(cohort: Cohort, cells: dict, spread: Noise | None) -> tuple[list[Point], str]:
    images = all(amount.images for amount in cells)
    if not images and not all(amount.fraction for amount in cells):
        return [], "unknown"

    points = []
    for amount, by_scenario in cells.items():
        means = {k: _mean_best(runs) for k, runs in by_scenario.items()}
        top = max(means, key=lambda k: (means[k], -k))
        size = float(amount.images if images else amount.fraction)
        runs = tuple(by_scenario[top])
        value = around(means[top], [(1.0, len(runs))], spread)
        points.append(Point(size, cohort.name(amount), value, top, len(runs), runs))

    return sorted(points, key=lambda point: point.size), "images" if images else "fraction"


def _shared(cells: dict) -> dict:
    """Keep the scenarios that every data amount has; all of them where there is none.

    The best of six scenarios against the best of two would look like a gain of more data.
    """
    shared = set.intersection(*map(set, cells.values())) if cells else set()
    if not shared:
        return cells
    return {amount: {k: runs[k] for k in runs if k in shared} for amount, runs in cells.items()}


def _mean_best(runs: list[Run]) -> float:
    return float(np.mean([best_map(run) for run in runs]))


def _last_two(points: list[Point]) -> tuple[Point, Point]:
    """Return the points of the two largest sizes; of subsets of one size, that with most runs."""
    sizes = sorted({point.size for point in points})[-2:]
    same = [[point for point in points if point.size == size] for size in sizes]
    return tuple(max(group, key=lambda point: point.n) for group in same)


def _class_gains(below: Point, top: Point) -> list[ClassGain]:
    first, second = (_class_precision(point.runs) for point in (below, top))
    gains = [
        ClassGain(name, _class_gain(second[name], first[name])) for name in second if name in first
    ]
    return sorted(gains, key=lambda one: -one.gain.value)


def _class_precision(runs: tuple[Run, ...]) -> dict[str, list[float]]:
    """Return each class's AP at the best evaluation of each run (``classwise`` of CocoMetric)."""
    precision: dict[str, list[float]] = {}
    for run in runs:
        step = measures.best(run).iteration
        for key in run.log.evals:
            if key.endswith("_precision") and not key.startswith("train_split/"):
                steps, values = run.curve(key)
                name = key.rpartition("/")[2].removesuffix("_precision")
                precision.setdefault(name, []).extend(values[steps == step].tolist())
    return {name: values for name, values in precision.items() if values}


def _class_gain(first: list[float], second: list[float]) -> Estimate:
    return difference(first, second, noise_of_values([first, second]))
