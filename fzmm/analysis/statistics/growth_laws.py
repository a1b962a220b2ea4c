"""Laws by which mAP grows with the number of training images, and what they predict.

Which law holds for a dataset is not known beforehand, and no single one extrapolates well (Viering
and Loog, "The Shape of Learning Curves", 2022; Mahmood et al., "How Much More Data Do I Need?",
CVPR 2022; Jain et al., arXiv 2303.01598). So three are fitted, and what is predicted is the union
of their intervals, without the laws that the measured points contradict.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

DRAWS = 1000
# A law that points miss by more than noise does in 1 of 1,000 cases is left out. One that they miss
# by less keeps its place, with errors as much larger as the misfit asks for (Birge's ratio).
_REJECTED = 0.001


@dataclass(frozen=True)
class GrowthLaw:
    """A law ``mAP(x) = a + b * shape(x, rate)`` with ``b >= 0``; x is a share of the largest size.

    Attributes:
        name: What it is called.
        shape: Function of shares and rates, broadcast against each other.
        inverse: The share at which ``shape`` has a value, NaN where it never has.
        rates: Rates that are tried; one for a law without a rate.
        bounded: Which ends of ``rates`` say, when they fit best, that the law does not describe the
            points: the lower, the upper.
    """

    name: str
    shape: Callable[[np.ndarray, np.ndarray], np.ndarray]
    inverse: Callable[[np.ndarray, np.ndarray], np.ndarray]
    rates: np.ndarray
    bounded: tuple[bool, bool]


def _power_inverse(value, rate):
    return np.where(value < 0, np.power(np.maximum(-value, 1e-300), -1 / rate), np.nan)


def _exponential_inverse(value, rate):
    return np.where(value < 0, -np.log(np.maximum(-value, 1e-300)) / rate, np.nan)


# Below 0.05 a power law cannot be told from the logarithm on four times the data: that end is not a
# failure, the logarithm stands for it. Above 3, halving the data costs eight times what doubling it
# gives: a plateau. A slow exponential grows in proportion to the data, which no detector does.
LAWS = (
    GrowthLaw(
        "power law",
        lambda x, rate: -(x**-rate),
        _power_inverse,
        np.geomspace(0.05, 3, 120),
        (False, True),
    ),
    GrowthLaw(
        "logarithm",
        lambda x, rate: np.log(x) + 0 * rate,
        lambda value, rate: np.exp(value),
        np.ones(1),
        (False, False),
    ),
    GrowthLaw(
        "exponential",
        lambda x, rate: -np.exp(-rate * x),
        _exponential_inverse,
        np.geomspace(0.2, 20, 120),
        (True, True),
    ),
)


@dataclass(frozen=True)
class LawFit:
    """A law fitted to some vectors of mAP.

    Attributes:
        law: The law.
        level: ``a`` of each vector, shape (vectors,).
        rise: ``b`` of each vector, shape (vectors,).
        rate: Rate of each vector, shape (vectors,).
        misfit: Weighted sum of squared residuals of each vector, shape (vectors,).
    """

    law: GrowthLaw
    level: np.ndarray
    rise: np.ndarray
    rate: np.ndarray
    misfit: np.ndarray

    def at(self, share) -> np.ndarray:
        """Return mAP at some shares, shape (vectors, shares)."""
        shape = self.law.shape(np.atleast_1d(share), self.rate[:, None])
        return self.level[:, None] + self.rise[:, None] * shape

    def share_for(self, value: float) -> np.ndarray:
        """Return the share at which mAP reaches a value, infinite where it never does."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            share = self.law.inverse((value - self.level) / self.rise, self.rate)
        return np.where(np.isfinite(share), share, np.inf)

    def binds(self, index: int = 0) -> bool:
        """Whether a bound decided the fit of a vector: the law does not describe it then."""
        rates, (lower, upper) = self.law.rates, self.law.bounded
        at_end = (lower and self.rate[index] == rates[0]) or (
            upper and self.rate[index] == rates[-1]
        )
        return bool(at_end or self.rise[index] <= 0)


def fit(law: GrowthLaw, shares, values, weights) -> LawFit:
    """Fit a law by least squares: closed form for a and b, the best of the law's rates.

    Args:
        law: The law.
        shares: Sizes relative to the largest, shape (points,).
        values: mAP, shape (vectors, points).
        weights: Inverse variances of the points up to a factor, shape (points,).
    """
    values = np.atleast_2d(values)
    weights = np.asarray(weights, dtype=float)
    share_of_weight = weights / weights.sum()
    shape = law.shape(np.asarray(shares, dtype=float)[None], law.rates[:, None])
    shape_mean = shape @ share_of_weight
    shape_centred = shape - shape_mean[:, None]
    spread = (shape_centred**2) @ weights

    value_mean = values @ share_of_weight
    centred = values - value_mean[:, None]
    rise = np.maximum(0.0, (centred * weights) @ shape_centred.T / spread)
    total = (centred**2) @ weights
    misfit = total[:, None] - rise**2 * spread  # for rise > 0 the least; else the whole

    best = np.argmin(misfit, axis=1)
    rows = np.arange(len(values))
    rise = rise[rows, best]
    return LawFit(
        law,
        value_mean - rise * shape_mean[best],
        rise,
        law.rates[best],
        np.maximum(misfit[rows, best], 0.0),
    )


@dataclass(frozen=True)
class Prediction:
    """What the laws that the points do not contradict say together.

    Attributes:
        fits: Central fit of each law that is kept.
        draws: Fits of the same laws to resampled points.
    """

    fits: tuple[LawFit, ...]
    draws: tuple[LawFit, ...]

    def gain(self, share: float) -> tuple[float, float, float]:
        """Return the gain from share 1 to ``share``: middle of the laws, lower and upper end."""
        middle = [float(np.diff(law.at([1.0, share]))[0, 0]) for law in self.fits]
        gains = [np.diff(law.at([1.0, share]))[:, 0] for law in self.draws]
        low = min(float(np.percentile(values, 2.5)) for values in gains)
        high = max(float(np.percentile(values, 97.5)) for values in gains)
        return float(np.mean(middle)), low, high

    def band(self, shares) -> np.ndarray:
        """Return middle, lower and upper end of mAP at some shares, shape (3, shares)."""
        middle = np.mean([law.at(shares)[0] for law in self.fits], axis=0)
        ends = np.array([np.percentile(law.at(shares), [2.5, 97.5], axis=0) for law in self.draws])
        return np.array([middle, ends[:, 0].min(axis=0), ends[:, 1].max(axis=0)])

    def share_for(self, value: float) -> tuple[float, float]:
        """Return between which shares mAP reaches a value; the upper end may be infinite."""
        reached = [np.sort(law.share_for(value)) for law in self.draws]
        low, high = (int(q * (len(reached[0]) - 1)) for q in (0.025, 0.975))
        return (
            float(min(shares[low] for shares in reached)),
            float(max(shares[high] for shares in reached)),
        )


def predict(shares, values, errors, freedom: int, seed: int = 0) -> Prediction | str:
    """Fit the laws and resample them.

    Each draw moves every point by its standard error times a normal value, with one common factor
    for the uncertainty of the pooled noise itself (sqrt(freedom / chi2), as in Student's t).

    Args:
        shares: Sizes relative to the largest, at least three different ones, shape (points,).
        values: Mean mAP of each point, shape (points,).
        errors: Standard error of each, shape (points,).
        freedom: Degrees of freedom of the noise behind ``errors``; 0 where it is taken as known.
        seed: Of the draws.

    Returns:
        The prediction, or why there is none: ``"bound"`` or ``"contradicted"``.
    """
    shares, values, errors = (np.asarray(array, dtype=float) for array in (shares, values, errors))
    weights = 1 / np.maximum(errors, 1e-6) ** 2
    fits = [fit(law, shares, values, weights) for law in LAWS]
    fits = tuple(central for central in fits if not _contradicted(central, len(values), freedom))
    if not fits:
        return "contradicted"
    if any(central.binds() for central in fits):
        return "bound"

    generator = np.random.default_rng(seed)
    noise = generator.standard_normal((DRAWS, len(values))) * errors
    if freedom:
        noise *= np.sqrt(freedom / generator.chisquare(freedom, DRAWS))[:, None]
    draws = tuple(
        fit(central.law, shares, values + _widening(central, len(values)) * noise, weights)
        for central in fits
    )

    return Prediction(fits, draws)


def _points_left(central: LawFit, points: int) -> int:
    return points - 2 - (len(central.law.rates) > 1)


def _widening(central: LawFit, points: int) -> float:
    left = _points_left(central, points)
    return float(np.sqrt(max(1.0, central.misfit[0] / left))) if left > 0 else 1.0


def _contradicted(central: LawFit, points: int, freedom: int) -> bool:
    """Test the lack of fit: misfit over noise against F (chi2 where the noise is known)."""
    from scipy import stats

    left = _points_left(central, points)
    if left <= 0:
        return False
    misfit = float(central.misfit[0])
    if freedom:
        return bool(stats.f.sf(misfit / left, left, freedom) < _REJECTED)
    return bool(stats.chi2.sf(misfit, left) < _REJECTED)
