"""Which scenarios may be the best, and what choosing another one may cost.

The true means are drawn from their posterior under flat priors, with one variance for all
set-ups: theta_k = mean_k + s sqrt(nu / chi2_nu) z_k / sqrt(n_k).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fzmm.analysis.statistics.noise import Noise

DRAWS = 4000
LIKELY = 0.8


@dataclass(frozen=True)
class Ranking:
    """What is known of the scenarios on one data amount.

    Attributes:
        means: Mean best mAP by number of trainable stages.
        runs: Number of runs by number of trainable stages.
        margin: Loss of mAP that does not matter.
        highest: Scenario with the highest mean, of equal ones that with the fewest stages.
        chosen: Fewest trainable stages whose mean is within the margin of the highest; the
            highest where these are none but arms.
        arms: Which of the keys are arms: scenarios that do something else than freezing stages.
        probability_within: Probability that a scenario's true mean is within the margin of the
            highest true mean, by number of trainable stages; empty without noise.
        probability_best: Probability that it is the highest; empty without noise.
        largest_loss: Upper 95% bound of what a scenario loses to the best of the others (Hsu's
            multiple comparisons with the best, 1981), never below 0; empty without noise.
    """

    means: dict[int, float]
    runs: dict[int, int]
    margin: float
    highest: int
    chosen: int
    arms: frozenset[int]
    probability_within: dict[int, float]
    probability_best: dict[int, float]
    largest_loss: dict[int, float]

    @property
    def safe_choice(self) -> int | None:
        """Fewest trainable stages that are likely within the margin, or the arm, or None."""
        within = self.probability_within
        likely = [k for k, p in within.items() if p >= LIKELY]
        plain = [k for k in likely if k not in self.arms]
        return min(plain, default=max(likely, key=within.get, default=None))


def rank(
    values: Mapping[int, Sequence[float]],
    noise: Noise | None,
    margin: float,
    arms: Collection[int] = (),
) -> Ranking:
    """Rank the scenarios of one data amount.

    Args:
        values: Best mAP of each run by number of trainable stages.
        noise: Noise of the best mAP between seeds; None is unknown.
        margin: Loss that does not matter, in mAP (0.004 is 0.4 percentage points).
        arms: Which keys are arms; they lie behind all others.
    """
    stages = sorted(values)
    means = np.array([np.mean(values[k]) for k in stages])
    counts = np.array([len(values[k]) for k in stages])
    highest = int(np.argmax(means))
    chosen = choose(means, margin, sum(k in arms for k in stages))
    within, best, loss = _risks(means, counts, noise, margin) if noise else ((), (), ())

    return Ranking(
        means=_by_stage(stages, means),
        runs={k: len(values[k]) for k in stages},
        margin=margin,
        highest=stages[highest],
        chosen=stages[chosen],
        arms=frozenset(arms),
        probability_within=_by_stage(stages, within),
        probability_best=_by_stage(stages, best),
        largest_loss=_by_stage(stages, loss),
    )


def choose(means: np.ndarray, margin: float, arms: int = 0) -> int:
    """Return the index of the first scenario whose mean is within the margin of the highest.

    Arms have no order of what they cost: of these it is the highest.

    Args:
        means: Mean best mAP, that of the fewest trainable stages first; shape (scenarios,).
        margin: Loss that does not matter, in mAP.
        arms: How many of the scenarios are arms: the last ones.
    """
    # the 1e-12 keeps a loss of exactly the margin within it
    first = int(np.argmax(means.max() - means <= margin + 1e-12))
    return first if first < len(means) - arms else int(np.argmax(means))


def _by_stage(stages: list[int], values) -> dict[int, float]:
    return {k: float(value) for k, value in zip(stages, values, strict=False)}


def _risks(means: np.ndarray, counts: np.ndarray, noise: Noise, margin: float):
    draws = standard_draws(len(means), noise.freedom)
    theta = means[:, None] + (noise.deviation / np.sqrt(counts))[:, None] * draws
    highest = theta.max(0)
    within = np.count_nonzero(highest - theta <= margin + 1e-12, axis=1) / DRAWS
    best = np.bincount(theta.argmax(0), minlength=len(means)) / DRAWS
    return within, best, _largest_losses(means, counts, noise)


def _largest_losses(means: np.ndarray, counts: np.ndarray, noise: Noise) -> np.ndarray:
    """Return Hsu's upper bounds, with Dunnett's critical values."""
    critical = noise.deviation * _critical_values(tuple(counts.tolist()), noise.freedom)
    width = np.sqrt(1 / counts + 1 / counts[:, None])
    bounds = means - means[:, None] + critical[:, None] * width
    np.fill_diagonal(bounds, 0.0)
    return np.maximum(bounds.max(1), 0.0)


@lru_cache(maxsize=4096)
def _critical_values(counts: tuple[int, ...], freedom: int) -> np.ndarray:
    """Return the 95% quantile of the largest studentised difference to each scenario."""
    runs = np.array(counts)
    errors = standard_draws(len(runs), freedom) / np.sqrt(runs)[:, None]
    values = []
    for i in range(len(runs)):
        scaled = (errors - errors[i]) / np.sqrt(1 / runs + 1 / runs[i])[:, None]
        values.append(np.quantile(np.delete(scaled, i, axis=0).max(0), 0.95))
    return np.array(values)


@lru_cache(maxsize=256)
def standard_draws(count: int, freedom: int) -> np.ndarray:
    """Return draws of z_k sqrt(nu / chi2_nu), shape (count, DRAWS), the same each time."""
    generator = np.random.default_rng(0)
    chi2 = generator.chisquare(freedom, (DRAWS, 1))
    draws = generator.standard_normal((DRAWS, count)) * np.sqrt(freedom / chi2)
    # a scenario's draws side by side: maxima over scenarios are then several times as fast
    return np.ascontiguousarray(draws.T)
