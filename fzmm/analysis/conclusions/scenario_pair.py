"""Which two scenarios are held side by side where there is room for two."""

from __future__ import annotations

from dataclasses import dataclass

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.detections.run_detections import AmountDetections, RunDetections

AS_RECOMMENDED = "recommended"  # the recommended scenario, against the one that freezes least
NEXT_BEST = "next best"  # the recommended one freezes least itself: against the next in mAP
STAND_IN = "stand-in"  # nothing of the recommended one is kept: the one that freezes most


@dataclass(frozen=True)
class ScenarioPair:
    """Two scenarios of one data amount.

    Attributes:
        first: The recommended one, by its key.
        second: What it is held against.
        reason: ``AS_RECOMMENDED``, ``NEXT_BEST`` or ``STAND_IN``.
        runs: A run of each, of the same seed where there are such.
    """

    first: int
    second: int
    reason: str
    runs: tuple[RunDetections, RunDetections]


def scenario_pair(conclusions: CohortConclusions, one: AmountDetections) -> ScenarioPair:
    """Choose the two scenarios of a data amount."""
    recommendations = (r for r in conclusions.recommendations if r.amount == one.amount)
    recommendation = next(recommendations, None)
    chosen = recommendation.trainable if recommendation else None
    if chosen not in one.scenarios:
        first, second, reason = one.most_frozen, one.reference, STAND_IN
    elif chosen == one.reference:
        means = recommendation.ranking.means
        first, second, reason = chosen, max(one.others, key=means.__getitem__), NEXT_BEST
    else:
        first, second, reason = chosen, one.reference, AS_RECOMMENDED
    runs = _of_one_seed(one.scenarios[first], one.scenarios[second])
    return ScenarioPair(first, second, reason, runs)


def _of_one_seed(
    first: list[RunDetections], second: list[RunDetections]
) -> tuple[RunDetections, RunDetections]:
    by_seed = {one.run.seed: one for one in reversed(second)}
    pairs = [(one, by_seed[one.run.seed]) for one in first if one.run.seed in by_seed]
    return min(pairs, key=_seed) if pairs else (first[0], second[0])


def _seed(pair: tuple[RunDetections, RunDetections]) -> int:
    return pair[0].run.seed or 0
