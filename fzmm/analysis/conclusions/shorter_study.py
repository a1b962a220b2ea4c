"""How short a study could have been: its question answered again from less of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics import measures
from fzmm.analysis.statistics.best_so_far import BestSoFar, best_so_far
from fzmm.analysis.statistics.cohorts import Cohort, TrainingSet

SHARES = (0.5, 0.25)
# As many as the posterior's draws; up to so many ways to pick one run of each scenario are all
# tried, of more so many are drawn.
WAYS = 4000


@dataclass(frozen=True)
class ShorterRuns:
    """What the first part of the runs would have recommended.

    Attributes:
        share: The part of the schedule.
        until: Its last iteration at which every run was evaluated.
        trainable: What would have been recommended there.
        lost: What that loses to the highest mean of the whole study, in mAP.
        decayed: Whether the learning rate had decayed by then.
    """

    share: float
    until: int
    trainable: int
    lost: float
    decayed: bool


@dataclass(frozen=True)
class OneSeed:
    """What one run of each scenario would have recommended.

    Attributes:
        ways: How many ways to pick them were tried.
        same: Share of these that recommend what the whole study does.
        within: Share whose recommendation loses no more than the margin to the highest mean of
            the whole study.
    """

    ways: int
    same: float
    within: float


@dataclass(frozen=True)
class ShorterStudy:
    """How short the study could have been on one data amount.

    Attributes:
        amount: The data amount.
        trainable: What the whole study recommends.
        frozen: The backbone's own number of frozen stages by number of trainable stages.
        stages: Number of trainable stages with nothing frozen.
        margin: Loss of mAP that does not matter.
        last: The last iteration at which every run was evaluated.
        parts: The first half and quarter of the schedule, where there are evaluations.
        one_seed: One run of each scenario; None where there is no more than that.
        choice_from: Iteration from which on the recommendation is that of the end.
        leader_from: The same for the scenario with the highest mean.
        order_from: The same for the order of all scenarios.
        gains_at_end: What the last evaluation adds to the best mAP of a run, in mAP, for the runs
            that it adds to: where this is much, they would have gone on rising.
        runs: The runs that this comes from.
    """

    amount: TrainingSet
    trainable: int
    frozen: dict[int, int]
    stages: int
    margin: float
    last: int
    parts: tuple[ShorterRuns, ...]
    one_seed: OneSeed | None
    choice_from: int
    leader_from: int
    order_from: int
    gains_at_end: tuple[float, ...]
    runs: tuple[Run, ...]


def shorter_studies(cohort: Cohort, margin: float) -> list[ShorterStudy]:
    """Answer again with half or a quarter of the schedule, and with one seed.

    The first half of a run is not a run of half the length, whose learning rate would have decayed
    within it: ``ShorterRuns.decayed`` tells them apart.

    Args:
        cohort: Comparable runs.
        margin: Loss of mAP that does not matter.

    Returns:
        One for each data amount with two scenarios and two evaluations, the largest first.
    """
    studies = [_shorter(cohort, amount, margin) for amount in cohort.amounts]
    return [study for study in studies if study is not None]


def _shorter(cohort: Cohort, amount: TrainingSet, margin: float) -> ShorterStudy | None:
    cells = cohort.cells(amount)
    best = best_so_far(cells)
    if best is None or len(best.iterations) < 2:
        return None

    runs = tuple(run for cell in cells.values() for run in cell)
    choices = best.choices(margin)
    parts = [_part(best, choices, share, runs) for share in SHARES]
    return ShorterStudy(
        amount=amount,
        trainable=choices[-1],
        frozen={k: cell[0].frozen_stages for k, cell in cells.items()},
        stages=cohort.unfrozen,
        margin=margin,
        last=int(best.iterations[-1]),
        parts=tuple(part for part in parts if part is not None),
        one_seed=_one_seed(best, choices[-1], margin),
        choice_from=best.stands_from(choices),
        leader_from=best.stands_from(best.leaders()),
        order_from=best.stands_from(best.orders()),
        gains_at_end=tuple(gain for run in runs if (gain := measures.gain_at_end(run))),
        runs=runs,
    )


def _part(
    best: BestSoFar, choices: list[int], share: float, runs: Sequence[Run]
) -> ShorterRuns | None:
    length = max(max(run.max_iterations or 0 for run in runs), int(best.iterations[-1]))
    inside = np.flatnonzero(best.iterations <= share * length)
    if not len(inside):
        return None
    until, chosen = int(best.iterations[inside[-1]]), choices[inside[-1]]
    decays = [run.milestones[0] for run in runs if run.milestones]
    decayed = not decays or min(decays) < until
    return ShorterRuns(share, until, chosen, _losses(best)[chosen], decayed)


def _losses(best: BestSoFar) -> Mapping[int, float]:
    """Return what each scenario loses to the highest in the whole study."""
    final = best.means[:, -1]
    return dict(zip(best.stages, (final.max() - final).tolist(), strict=True))


def _one_seed(best: BestSoFar, chosen: int, margin: float) -> OneSeed | None:
    final = [values[:, -1] for values in best.runs]
    picks = _picks([len(values) for values in final])
    if len(picks) < 2:
        return None
    picked = np.array([values[column] for values, column in zip(final, picks.T, strict=True)])
    answers = np.array([best.choice(column, margin) for column in picked.T])
    losses = _losses(best)
    within = [losses[answer] <= margin + 1e-12 for answer in answers.tolist()]
    return OneSeed(len(picks), float(np.mean(answers == chosen)), float(np.mean(within)))


def _picks(counts: Sequence[int]) -> np.ndarray:
    """Return ways to pick one run of each scenario, shape (ways, scenarios)."""
    if math.prod(counts) <= WAYS:
        return np.indices(counts).reshape(len(counts), -1).T
    return np.random.default_rng(0).integers(0, counts, (WAYS, len(counts)))
