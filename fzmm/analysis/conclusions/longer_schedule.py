"""What more iterations of the same training gave, where a study of them is read too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from fzmm.analysis.conclusions.recommendation import Recommendation, recommend
from fzmm.analysis.statistics.cohorts import Cohort
from fzmm.analysis.statistics.estimates import Estimate, difference
from fzmm.analysis.statistics.noise import best_map, larger_noise


@dataclass(frozen=True)
class LongerSchedule:
    """The longest other training of the same detector on the same images.

    Attributes:
        recommendation: What it recommends.
        iterations: Its length.
        gain: Highest mean best mAP there minus that here, with the larger noise of both.
    """

    recommendation: Recommendation
    iterations: int
    gain: Estimate


def recommend_each(cohorts: Sequence[Cohort], margin: float) -> list[list[Recommendation]]:
    """Return the recommendations of each cohort; a too short schedule's know the longer ones.

    Args:
        cohorts: All that were read.
        margin: Loss of mAP that does not matter.
    """
    studies = [recommend(cohort, margin) for cohort in cohorts]
    return [[_with_longer(one, studies) for one in study] for study in studies]


def _with_longer(one: Recommendation, studies: Sequence[Sequence[Recommendation]]):
    own = _training(one)
    if not one.schedule.too_short or None in own:
        return one
    other = max((other for other in chain(*studies) if _training(other) == own), key=_length)
    if _length(other) <= _length(one):
        return one
    noise = larger_noise(one.noise, other.noise)
    gain = difference(*([best_map(run) for run in r.top_runs] for r in (other, one)), noise)
    return replace(one, longer=LongerSchedule(other, _length(other), gain))


def _training(recommendation: Recommendation) -> tuple:
    """Return what two studies share that differ in schedule and seeds alone."""
    run = recommendation.top_runs[0]
    return (run.train.sha256, run.val.sha256, run.model, run.initialisation, run.metric)


def _length(recommendation: Recommendation) -> int:
    return recommendation.top_runs[0].schedule.length or 0
