"""Which runs to make next, so that the recommendation is decided with few of them."""

from __future__ import annotations

from dataclasses import dataclass

from fzmm.analysis.statistics.cohorts import Cohort, TrainingSet
from fzmm.analysis.statistics.noise import best_map, best_map_noise
from fzmm.analysis.statistics.ranking import LIKELY, Ranking, rank

MARGIN = 0.004
MOST_SEEDS = 8
SECOND_SEED, CHOICE, CHEAPER, CONTENDER = "second seed", "choice", "cheaper", "contender"
# Below these, another seed seldom changes the choice; from the simulation in benchmarks/advice.py.
_CHEAPER, _CONTENDER = 0.2, 0.15


@dataclass(frozen=True)
class NextRun:
    """A run that would help to decide.

    Attributes:
        amount: The data amount.
        trainable: Number of trainable stages.
        frozen_stages: The backbone's own number.
        arm: Name of the scenario where it is none of freezing stages; None otherwise.
        config: Path of its config as the runs before it recorded it, or the config's name.
        seed: The lowest seed that was not yet used.
        reason: ``second seed`` (the set-up has one), ``choice`` (the recommended scenario is not
            yet likely within the margin), ``cheaper`` (fewer stages may be within the margin) or
            ``contender`` (it may be the best).
        probability: Of what the reason says; None for a second seed.
    """

    amount: TrainingSet
    trainable: int
    frozen_stages: int
    config: str | None
    seed: int
    reason: str
    probability: float | None = None
    arm: str | None = None


def next_runs(
    cohort: Cohort, margin: float = MARGIN, most_seeds: int = MOST_SEEDS
) -> list[NextRun]:
    """Return the runs to make next: one more seed of some set-ups.

    As long as any set-up has one seed, these get a second one. After that, on each data amount
    where the recommended scenario is not likely (P < 0.8) within the margin: one for it, for each
    scenario with fewer stages that may be within the margin (P > 0.2) and for each that may be the
    best (P >= 0.15).

    Args:
        cohort: Comparable runs; only set-ups that have a finished run are considered.
        margin: Loss of mAP that does not matter (0.004 is 0.4 percentage points).
        most_seeds: No set-up gets more seeds than this.

    Returns:
        A list of ``NextRun``; empty means that the study is decided, or out of seeds.
    """
    single = [
        _next_run(cohort, amount, k, SECOND_SEED)
        for amount in cohort.amounts
        for k, runs in cohort.all_cells(amount).items()
        if len(runs) == 1 and len(cohort.all_cells(amount)) > 1
    ]
    if single:
        return single

    noise, runs = best_map_noise(cohort), []
    for amount in cohort.amounts:
        cells = cohort.all_cells(amount)
        if len(cells) > 1 and noise is not None:
            values = {k: [best_map(run) for run in cell] for k, cell in cells.items()}
            ranking = rank(values, noise, margin, cohort.arms.keys() & cells)
            chosen = seeds_to_add(ranking, most_seeds)
            runs += [_next_run(cohort, amount, k, *reason) for k, reason in chosen.items()]

    return runs


def seeds_to_add(ranking: Ranking, most_seeds: int = MOST_SEEDS) -> dict[int, tuple[str, float]]:
    """Return the scenarios of one data amount that need a seed, with the reason and probability."""
    within, best, chosen = ranking.probability_within, ranking.probability_best, ranking.chosen
    if within[chosen] >= LIKELY:
        return {}
    scenarios = {chosen: (CHOICE, within[chosen])}
    for k in within:
        if k < chosen and k not in ranking.arms and within[k] > _CHEAPER:
            scenarios[k] = CHEAPER, within[k]
        elif k != chosen and best[k] >= _CONTENDER:
            scenarios[k] = CONTENDER, best[k]
    return {k: reason for k, reason in scenarios.items() if ranking.runs[k] < most_seeds}


def _next_run(cohort: Cohort, amount: TrainingSet, trainable: int, reason: str, probability=None):
    runs = cohort.cell(amount, trainable, finished=False)
    seeds = cohort.used_seeds(amount, trainable)
    seed = next(number for number in range(len(seeds) + 1) if number not in seeds)
    config = runs[0].config_path or runs[0].config
    frozen, arm = runs[0].frozen_stages, runs[0].arm
    return NextRun(amount, trainable, frozen, config, seed, reason, probability, arm)
