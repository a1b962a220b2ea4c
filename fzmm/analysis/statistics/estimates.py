"""Means, differences and other contrasts of set-ups, with intervals from the pooled noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fzmm.analysis.statistics.noise import Noise

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value with a 95% interval, where the noise is known.

    Attributes:
        value: Mean, difference of means, or another contrast of means.
        low: Lower end; None without noise.
        high: Upper end; None without noise.
        n: Number of runs (of the smallest set-up, for a difference).
        method: How the interval was made.
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int = 1
    method: str = "no repeats, no interval"

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return self.low is not None

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies wholly on one side of zero: then it is a difference."""
        return self.known and (self.low > 0 or self.high < 0)


def mean(values: Sequence[float], noise: Noise | None) -> Estimate:
    """Return the mean of one set-up's repeats.

    A cell's own two or three runs would give an interval two to ten times as wide as the standard
    deviation that is pooled over all set-ups.

    Args:
        values: One value a run; None and NaN are left out.
        noise: Noise of the measure.

    Raises:
        ValueError: If no value is left.
    """
    kept = [value for value in values if value is not None and math.isfinite(value)]
    if not kept:
        raise ValueError("mean of no values")
    return contrast([(1.0, kept)], noise)


def difference(first: Sequence[float], second: Sequence[float], noise: Noise | None) -> Estimate:
    """Return mean(first) - mean(second)."""
    return contrast([(1.0, first), (-1.0, second)], noise)


def contrast(terms: Sequence[tuple[float, Sequence[float]]], noise: Noise | None) -> Estimate:
    """Return a weighted sum of set-ups' means with Student's t interval of the pooled noise.

    Args:
        terms: A weight and the values of the repeats, for each set-up.
        noise: Noise of the measure; None gives no interval.
    """
    value = float(sum(weight * np.mean(values) for weight, values in terms))
    return around(value, [(weight, len(values)) for weight, values in terms], noise)


def around(value: float, terms: Sequence[tuple[float, int]], noise: Noise | None) -> Estimate:
    """Return a contrast that is at hand with Student's t interval of the pooled noise.

    Args:
        value: The weighted sum of means.
        terms: A weight and the number of repeats, for each set-up.
        noise: Noise of the measure; None gives no interval.
    """
    n = min(count for _, count in terms)
    if noise is None:
        return Estimate(value, n=n)

    variance = sum(weight**2 / count for weight, count in terms)
    half = t_quantile(noise.freedom) * noise.deviation * math.sqrt(variance)
    return Estimate(value, value - half, value + half, n, f"pooled noise of {noise.source}")


def t_quantile(freedom: int) -> float:
    """Return the 97.5% quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))
