"""Each scenario at its own learning rate: whether one rate for all would give another answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics.cohorts import Cohort, TrainingSet
from fzmm.analysis.statistics.learning_rates import RateChoice, best_of
from fzmm.analysis.statistics.ranking import Ranking, choose


@dataclass(frozen=True)
class CommonRate:
    """What would be recommended if every scenario were trained at one rate.

    Attributes:
        rate: That rate.
        trainable: The key of the scenario that would be recommended.
        same: Whether that is the recommended one.
        measured: Whether whole runs of every scenario at that rate say so. Otherwise what a
            scenario loses there is taken from the runs that looked for its rate.
    """

    rate: float
    trainable: int
    same: bool
    measured: bool


@dataclass(frozen=True)
class OwnRates:
    """The learning rates of the scenarios on one training set.

    Attributes:
        choices: How each scenario's rate was chosen, by its key.
        names: Names of the scenarios, by the same.
        common: What one rate for all would have given, for each rate that all have tried.
    """

    choices: dict[int, RateChoice]
    names: dict[int, str]
    common: tuple[CommonRate, ...]

    @property
    def tried(self) -> list[float]:
        """All rates that a scenario was tried at, ascending."""
        return sorted({trial.rate for choice in self.choices.values() for trial in choice.trials})

    @property
    def differing(self) -> list[CommonRate]:
        """The rates at which the answer would be another."""
        return [one for one in self.common if not one.same]

    @property
    def alike(self) -> list[CommonRate]:
        """The rates at which it would be the same."""
        return [one for one in self.common if one.same]

    @property
    def measured(self) -> bool:
        """Whether whole runs alone say what one rate would have given."""
        return all(one.measured for one in self.common)

    @property
    def chosen_by(self) -> list[Run]:
        """The runs that chose."""
        return [run for choice in self.choices.values() for run in choice.chosen_by]

    @property
    def share(self) -> float | None:
        """Share of the schedule of the runs that chose; None for whole runs."""
        shares = {choice.share for choice in self.choices.values()} - {None}
        return max(shares, default=None)

    @property
    def compared_as_chosen(self) -> list[str]:
        """Names of the scenarios that are compared by the runs that chose their rate."""
        return [self.names[k] for k, choice in self.choices.items() if not choice.apart]

    @property
    def at_edge(self) -> dict[str, RateChoice]:
        """Scenarios whose best rate is the largest or smallest of those tried."""
        return {self.names[k]: choice for k, choice in self.choices.items() if choice.edge}

    @property
    def better(self) -> dict[str, RateChoice]:
        """Scenarios of which a better rate was found that has no whole run yet."""
        found = {self.names[k]: choice for k, choice in self.choices.items()}
        return {name: choice for name, choice in found.items() if choice.better is not None}


def own_rates(
    cohort: Cohort, amount: TrainingSet, cells: Mapping[int, Sequence[Run]], ranking: Ranking
) -> OwnRates | None:
    """Return the rates of the scenarios that are compared; None where a study has one rate.

    Args:
        cohort: The comparable runs.
        amount: The training set.
        cells: The runs that are compared on it.
        ranking: What came of that.
    """
    choices = {k: cohort.rate_choice(amount, k) for k in cells}
    if not any(choice and len(choice.trials) > 1 for choice in choices.values()):
        return None
    names = {k: runs[0].scenario for k, runs in cells.items()}
    tried = set.intersection(*(_rates_of(choice) for choice in choices.values()))
    common = (_at(rate, choices, ranking) for rate in sorted(tried))
    return OwnRates(choices, names, tuple(one for one in common if one is not None))


def _rates_of(choice: RateChoice) -> set[float]:
    return {trial.rate for trial in choice.trials} | set(choice.whole)


def _at(rate: float, choices: Mapping[int, RateChoice], ranking: Ranking) -> CommonRate | None:
    keys = sorted(choices)
    values = [_best_map(choices[k], rate, ranking.means[k]) for k in keys]
    if None in values or not any(map(math.isfinite, values)):
        return None
    trainable = keys[choose(np.array(values), ranking.margin, len(ranking.arms))]
    measured = all(rate in choice.whole or choice.diverges(rate) for choice in choices.values())
    return CommonRate(rate, trainable, trainable == ranking.chosen, measured)


def _best_map(choice: RateChoice, rate: float, own: float) -> float | None:
    """Return a scenario's mAP at a rate, -inf where it diverges.

    Without whole runs there, it is that at its own rate less what the runs that chose have lost
    from one to the other: shortened runs have another mAP, and may favour what freezes more.

    Args:
        choice: How its rate was chosen.
        rate: The rate in question.
        own: Its mean best mAP at its own rate.
    """
    if choice.diverges(rate):
        return -math.inf
    if rate == choice.rate:
        return own
    if rate in choice.whole:
        return best_of(choice.whole[rate])
    there, here = choice.trial(rate), choice.trial(choice.rate)
    if None in (there, here) or None in (there.best_map, here.best_map):
        return None
    return own + there.best_map - here.best_map
