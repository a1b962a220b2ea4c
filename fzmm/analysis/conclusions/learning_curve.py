"""Whether more data would help: a power law of mAP against the number of training images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics.cohorts import Cohort
from fzmm.analysis.statistics.estimates import Estimate, Noise, best_map, difference, mean, noise

RESAMPLES = 400


@dataclass(frozen=True)
class Point:
    """What one data amount reached, with the scenario that is best there.

    Attributes:
        size: Images, or fraction of the full set where images are unknown.
        label: Name of the data amount.
        value: Mean best mAP of the best scenario.
        trainable: That scenario.
        runs: The runs behind it.
    """

    size: float
    label: str
    value: Estimate
    trainable: int
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class LearningCurve:
    """The curve ``mAP(n) = a - b * (n / n_max) ** -c`` and what it predicts of twice the data.

    Attributes:
        points: What was measured, one for each data amount, the smallest size first.
        last_two: Those of the two largest sizes, between which ``observed`` lies.
        unit: ``images`` or ``fraction``.
        parameters: (a, b, c), or None where the points cannot carry a curve.
        gain: Predicted gain of twice the largest amount with its interval, or None.
        reason: Why there is no curve, or what limits it; empty if nothing does.
        observed: Gain from the second-largest to the largest size, measured.
        noise: The noise that the resampling used.
        grid: Sizes of ``band``.
        band: Lower and upper end of the curve at ``grid``, shape (2, len(grid)), or None.
    """

    points: tuple[Point, ...]
    last_two: tuple[Point, Point]
    unit: str
    parameters: tuple[float, float, float] | None = None
    gain: Estimate | None = None
    reason: str = ""
    observed: Estimate | None = None
    noise: Noise | None = None
    grid: np.ndarray | None = None
    band: np.ndarray | None = None

    def predict(self, size):
        """Return the curve's mAP at some number of images (or fraction)."""
        return _law(np.asarray(size) / self.points[-1].size, *self.parameters)


def learning_curve(cohort: Cohort, seed: int = 0) -> LearningCurve | None:
    """Fit the curve to the best scenario of each data amount.

    A power law with an asymptote has three parameters: with two data amounts it is not determined,
    and none is fitted. The interval is the 2.5th to 97.5th percentile of refits to resampled
    means, each moved by its noise / sqrt(runs): the noise pooled over repeats (Student's t of its
    degrees of freedom) or, without repeats, the thesis's.

    Args:
        cohort: Comparable runs.
        seed: Seed of the resampling.

    Returns:
        The curve, or None where fewer than two data amounts have finished runs.
    """
    points, unit = _points(cohort)
    if len({point.size for point in points}) < 2:
        return None
    spread = noise(cohort)
    below, top = _last_two(points)
    observed = difference(
        [best_map(run) for run in top.runs], [best_map(run) for run in below.runs]
    )
    known = {
        "points": tuple(points),
        "last_two": (below, top),
        "unit": unit,
        "observed": observed,
        "noise": spread,
    }
    sizes = np.array([point.size for point in points])
    if len(set(sizes)) == 2:
        return LearningCurve(
            **known,
            reason="two data amounts cannot carry a curve: how it flattens needs a third",
        )
    values = np.array([point.value.value for point in points])
    fitted = _fit(sizes / sizes[-1], values)
    if fitted is None:
        return LearningCurve(**known, reason="the power law could not be fitted to these points")
    generator = np.random.default_rng(seed)
    scale = spread.deviation / np.sqrt([len(point.runs) for point in points])
    grid = np.geomspace(sizes[0], 2 * sizes[-1], 60)
    curves, gains = [], []
    for _ in range(RESAMPLES):
        draws = (
            generator.standard_t(spread.freedom, len(points))
            if spread.freedom
            else generator.standard_normal(len(points))
        )
        again = _fit(sizes / sizes[-1], np.clip(values + scale * draws, 0, 1), fitted)
        if again is not None:
            curves.append(_law(grid / sizes[-1], *again))
            gains.append(_law(2.0, *again) - _law(1.0, *again))
    low, high = np.percentile(gains, [2.5, 97.5])
    gain = float(_law(2.0, *fitted) - _law(1.0, *fitted))
    reason = ""
    if len(set(sizes)) == 3:
        reason = (
            "three data amounts fix the three parameters exactly; the interval tells of the noise "
            "between runs, not of the law's fit"
        )
    return LearningCurve(
        **known,
        parameters=tuple(float(value) for value in fitted),
        gain=Estimate(gain, float(low), float(high), len(points), "resampled refits"),
        reason=reason,
        grid=grid,
        band=np.percentile(curves, [2.5, 97.5], axis=0),
    )


def _points(cohort: Cohort) -> tuple[list[Point], str]:
    cells = {amount: cohort.cells(amount) for amount in cohort.amounts}
    cells = {amount: found for amount, found in cells.items() if found}
    images = all(amount.images for amount in cells)
    if not images and not all(amount.fraction for amount in cells):
        return [], "unknown"
    points = []
    for amount, found in cells.items():
        means = {k: mean([best_map(run) for run in runs]) for k, runs in found.items()}
        top = max(means, key=lambda k: (means[k].value, -k))
        size = float(amount.images if images else amount.fraction)
        points.append(Point(size, cohort.name(amount), means[top], top, tuple(found[top])))
    return sorted(points, key=lambda point: point.size), "images" if images else "fraction"


def _last_two(points: list[Point]) -> tuple[Point, Point]:
    """Return the points of the two largest sizes; of subsets of one size, that with most runs."""
    sizes = sorted({point.size for point in points})[-2:]
    same = [[point for point in points if point.size == size] for size in sizes]
    return tuple(max(group, key=lambda point: len(point.runs)) for group in same)


def _law(share, asymptote, rise, power):
    return asymptote - rise * np.asarray(share, dtype=float) ** -power


def _fit(shares: np.ndarray, values: np.ndarray, start=None):
    """Fit the law with scipy.optimize.least_squares; None where it does not converge."""
    from scipy.optimize import least_squares

    low, high = np.array([0.0, 0.0, 0.05]), np.array([1.0, 1.0, 3.0])
    if start is None:
        start = (values.max() + 0.02, max(float(np.ptp(values)) / 2, 1e-3), 0.5)
    logs = np.log(shares)

    def residuals(parameters):
        return _law(shares, *parameters) - values

    def jacobian(parameters):
        _, rise, power = parameters
        falling = shares**-power
        return np.column_stack([np.ones_like(shares), -falling, rise * falling * logs])

    margin = 1e-6 * (high - low)
    result = least_squares(
        residuals,
        np.clip(start, low + margin, high - margin),
        jacobian,
        bounds=(low, high),
        ftol=1e-9,
        xtol=1e-7,
        max_nfev=300,
    )
    return result.x if result.status > 0 else None
