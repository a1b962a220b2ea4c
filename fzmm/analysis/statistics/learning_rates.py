"""Each scenario's own learning rate: which were tried, which was best, and which runs compare.

The best of several is optimistic where the runs that chose it are compared as well, so they are
left out wherever others are there: shortened runs that looked for the rate, or else, where whole
runs were trained at every rate, those of one seed on one training set of each size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics import measures
from fzmm.analysis.statistics.training_sets import TrainingSet, is_complete, training_set_of

LARGEST, SMALLEST = "largest", "smallest"


@dataclass(frozen=True)
class RateTrial:
    """What came of one scenario at one learning rate.

    Attributes:
        rate: The rate.
        best_map: Best mAP of the run that tried it; None where it has none.
        diverged: Whether a run's loss became no number: the rate is out.
        runs: The runs that say so.
    """

    rate: float
    best_map: float | None
    diverged: bool
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True)
class RateChoice:
    """The learning rate at which a scenario is compared on one training set.

    Attributes:
        rate: That rate.
        trials: What was tried on as much data, by rate, ascending.
        share: Of the schedule, of the runs that chose; None where these are whole runs.
        whole: The finished whole runs on this training set, by rate.
        apart: Whether the runs that are compared are others than those that chose.
        better: A rate that is better by the trials and has no finished whole run; None for none.
    """

    rate: float
    trials: tuple[RateTrial, ...]
    share: float | None
    whole: dict[float, tuple[Run, ...]]
    apart: bool
    better: float | None = None

    @property
    def chosen_by(self) -> tuple[Run, ...]:
        """The runs that chose, where there was a choice."""
        several = len(self.trials) > 1
        return tuple(run for trial in self.trials for run in trial.runs) if several else ()

    @property
    def edge(self) -> str | None:
        """``largest`` or ``smallest`` where the rate is that of all tried; None within them."""
        return edge_of(self.rate, [trial.rate for trial in self.trials])

    @property
    def beyond(self) -> float | None:
        """A rate to try where the best one is at the edge of those tried."""
        return beyond(self.rate, [trial.rate for trial in self.trials])

    def trial(self, rate: float) -> RateTrial | None:
        """Return what came of a rate."""
        return next((trial for trial in self.trials if trial.rate == rate), None)

    def diverges(self, rate: float) -> bool:
        """Whether a run at a rate diverged."""
        trial = self.trial(rate)
        return trial is not None and trial.diverged


def edge_of(rate: float, tried: Sequence[float]) -> str | None:
    """Return whether a rate is the ``largest`` or ``smallest`` of several."""
    if len(tried) < 2:
        return None
    return {max(tried): LARGEST, min(tried): SMALLEST}.get(rate)


def beyond(rate: float, tried: Sequence[float]) -> float | None:
    """Return a rate as far beyond one at the edge as that is from its neighbour, to two digits.

    That is ten times as far at most: between rates further apart the best may have been missed.
    """
    if edge_of(rate, tried) is None:
        return None
    neighbour = min(
        (other for other in tried if other != rate), key=lambda other: _apart(other, rate)
    )
    return float(f"{rate * min(max(rate / neighbour, 0.1), 10):.2g}")


def in_order(trials: Iterable[RateTrial]) -> list[RateTrial]:
    """Return trials, the best first: the highest mAP, of equal ones the lower rate.

    Those without a result come behind, those that diverged last.
    """
    return sorted(trials, key=_rank)


def _rank(trial: RateTrial) -> tuple[bool, float, float]:
    value = math.inf if trial.best_map is None else -trial.best_map
    return trial.diverged, value, trial.rate


def best_of(runs: Sequence[Run]) -> float | None:
    """Return the mean best mAP of runs that have one; None for none."""
    tops = [measures.best(run) for run in runs]
    values = [top.value for top in tops if top is not None]
    return float(np.mean(values)) if values else None


def of_same_setup(run: Run, other: Run) -> bool:
    """Whether two whole runs differ in nothing but the seed."""
    return (
        run.rate_search == other.rate_search
        and run.rate == other.rate
        and run.scenario == other.scenario
        and training_set_of(run) == training_set_of(other)
    )


def at_best_rates(
    runs: Sequence[Run], searching: Sequence[Run]
) -> tuple[list[Run], dict[tuple[TrainingSet, str | None], RateChoice]]:
    """Take of each scenario the runs at its best rate.

    The rate is chosen once for each size of data: subsets of one size keep it.

    Args:
        runs: Comparable runs but for the rate.
        searching: Shortened runs that looked for the rate.

    Returns:
        The runs that are compared, in their order, and how the rate of each was chosen.
    """
    sizes: dict[tuple, list[Run]] = {}
    for run in runs:
        sizes.setdefault(_size_and_scenario(run), []).append(run)
    kept: set[int] = set()
    choices = {}
    for size, members in sizes.items():
        looking = [run for run in searching if _size_and_scenario(run) == size]
        trials = _trials(members, looking)
        for amount in dict.fromkeys(map(training_set_of, members)):
            here = [run for run in members if training_set_of(run) == amount]
            compared, choice = _choose(here, trials)
            choices[amount, size[1]] = choice
            kept |= {id(run) for run in compared}
    return [run for run in runs if id(run) in kept], choices


def _size_and_scenario(run: Run) -> tuple:
    return training_set_of(run).level, run.scenario


def _trials(runs: Sequence[Run], searching: Sequence[Run]) -> tuple[RateTrial, ...]:
    """Return what was tried on one size of data."""
    out = {run.rate for run in [*runs, *searching] if run.diverged}
    finished = [run for run in searching if is_complete(run)]
    wanted = {run.rate for run in runs if is_complete(run)} - out
    searched = finished and wanted <= {run.rate for run in finished}
    chosen_by = finished if searched else _whole_runs_that_choose(runs)
    rates = sorted({run.rate for run in chosen_by} | out)
    return tuple(_trial(rate, chosen_by, rate in out, [*runs, *searching]) for rate in rates)


def _trial(rate: float, chosen_by: Sequence[Run], out: bool, runs: Sequence[Run]) -> RateTrial:
    if out:
        broken = tuple(run for run in runs if run.rate == rate and run.diverged)
        return RateTrial(rate, None, True, broken)
    of_rate = tuple(run for run in chosen_by if run.rate == rate)
    return RateTrial(rate, best_of(of_rate), False, of_rate)


def _whole_runs_that_choose(runs: Sequence[Run]) -> list[Run]:
    """Return a run of each rate: on the training set with most rates, of one seed if it can be."""
    finished = [run for run in runs if is_complete(run)]
    amounts = sorted(dict.fromkeys(map(training_set_of, finished)), key=lambda one: one.name)
    by_rate = {amount: _by_rate(finished, amount) for amount in amounts}
    cells = max(by_rate.values(), key=len, default={})
    seeds = [{run.seed for run in cell} for cell in cells.values()]
    common = min(set.intersection(*seeds) - {None}, default=None) if seeds else None
    return [next((run for run in cell if run.seed == common), cell[0]) for cell in cells.values()]


def _by_rate(runs: Sequence[Run], amount: TrainingSet) -> dict[float, list[Run]]:
    rates: dict[float, list[Run]] = {}
    for run in sorted(runs, key=lambda one: (one.rate, one.seed is None, one.seed or 0)):
        if training_set_of(run) == amount:
            rates.setdefault(run.rate, []).append(run)
    return rates


def _choose(runs: Sequence[Run], trials: tuple[RateTrial, ...]) -> tuple[list[Run], RateChoice]:
    """Choose the rate of one scenario on one training set, and the runs to compare."""
    whole: dict[float, tuple[Run, ...]] = {}
    for run in filter(is_complete, runs):
        whole[run.rate] = (*whole.get(run.rate, ()), run)
    order = [trial.rate for trial in in_order(trials)]
    there = whole or {run.rate for run in runs}
    rate = min(there, key=lambda one: (order.index(one) if one in order else len(order), one))
    at_it = [run for run in runs if run.rate == rate]

    chose = {id(run) for trial in trials for run in trial.runs} if len(trials) > 1 else set()
    others = [run for run in at_it if id(run) not in chose]
    apart = len(others) == len(at_it) or any(map(is_complete, others))
    choice = RateChoice(rate, trials, _share(trials), whole, apart, _better(trials, whole))
    return others if apart else at_it, choice


def _share(trials: Sequence[RateTrial]) -> float | None:
    shares = (run.rate_search for trial in trials if not trial.diverged for run in trial.runs)
    return next(shares, None)


def _better(trials: Sequence[RateTrial], whole: Mapping[float, object]) -> float | None:
    top = next(iter(in_order(trials)), None)
    return top.rate if top and top.best_map is not None and top.rate not in whole else None


def _apart(rate: float, other: float) -> float:
    return abs(math.log(rate) - math.log(other))
