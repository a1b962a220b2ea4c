"""What to freeze for each data amount, how sure that is, what it saves and where to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fzmm.analysis.conclusions.common_rate import OwnRates, own_rates
from fzmm.analysis.conclusions.next_runs import MARGIN, NextRun, next_runs
from fzmm.analysis.conclusions.schedule_length import ScheduleLength, schedule_length
from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics import measures
from fzmm.analysis.statistics.cohorts import Cohort, TrainingSet
from fzmm.analysis.statistics.estimates import Estimate, difference, mean
from fzmm.analysis.statistics.hardware import (
    by_hardware,
    hardware,
    several_hardware,
    shared_hardware,
)
from fzmm.analysis.statistics.noise import Noise, best_map, best_map_noise
from fzmm.analysis.statistics.ranking import LIKELY, Ranking, rank
from fzmm.scenarios import counts_as_resnet

SHOWN, LIKELY_STATUS, PROVISIONAL, UNDECIDED = "shown", "likely", "provisional", "undecided"


@dataclass(frozen=True)
class ScenarioCost:
    """What the recommended scenario costs, and that against the unfrozen one.

    Times and memory are those of runs on one kind of hardware.

    Attributes:
        time: Training seconds; None is unknown.
        time_ratio: That against the unfrozen run's; None without an unfrozen run on the same
            hardware.
        memory_ratio: The same for peak memory.
        parameter_ratio: The same for trainable parameters, whatever the hardware.
        hardware: What the times and memory were measured on; None where no hardware has both
            scenarios, or no unfrozen run is there.
        several_hardware: Whether the cohort's runs come from several kinds.
        runs: The runs whose times are compared, unfrozen ones among them.
    """

    time: float | None
    time_ratio: float | None
    memory_ratio: float | None
    parameter_ratio: float | None
    hardware: str | None = None
    several_hardware: bool = False
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True)
class StoppingPoint:
    """Where to stop training.

    Attributes:
        iteration: Median iteration of the best evaluation, one that was evaluated.
        earliest: First evaluated iteration of any run that noise does not tell from its best.
        latest: The last one.
        share: ``iteration`` as a share of the schedule; None is unknown.
        lost_after: Mean best minus last mAP: what going on to the end loses.
        by_noise: What noise alone would give for that over as many evaluations; None is unknown.
    """

    iteration: int
    earliest: int
    latest: int
    share: float | None
    lost_after: float
    by_noise: float | None


@dataclass(frozen=True)
class ArmResult:
    """A scenario beside the freezing ones, held against the recommended freezing scenario.

    Attributes:
        name: Such as ``lr01``.
        does: What it does, in words.
        best_map: Mean best mAP.
        gain: That minus the mean of ``against``.
        against: The freezing scenario that would be recommended without any arm.
        time_ratio: Training time against the unfrozen run's; None is unknown.
        runs: Its runs.
        against_runs: Those of ``against``.
    """

    name: str
    does: str
    best_map: Estimate
    gain: Estimate
    against: int
    time_ratio: float | None
    runs: tuple[Run, ...]
    against_runs: tuple[Run, ...]

    def as_good(self, margin: float) -> bool:
        """Whether it is shown to lie neither above nor below by more than the margin."""
        return self.gain.known and -margin <= self.gain.low and self.gain.high <= margin

    def not_told_apart(self, margin: float) -> bool:
        """Whether its mean is within the margin, and no difference is shown."""
        return abs(self.gain.value) <= margin + 1e-12 and not self.gain.excludes_zero

    @property
    def single(self) -> bool:
        """Whether it, or what it is held against, has one seed."""
        return min(len(self.runs), len(self.against_runs)) < 2


@dataclass(frozen=True)
class Recommendation:
    """What to freeze with one data amount.

    Attributes:
        amount: The data amount.
        status: How sure it is: ``shown``, ``likely``, ``provisional`` or ``undecided``.
        frozen: The backbone's own number of frozen stages by number of trainable stages.
        arms: What was compared beside freezing stages, by its key.
        ranking: Means, probabilities and largest losses of all scenarios.
        noise: The noise of the best mAP; None is unknown.
        best_map: Mean best mAP of the recommended scenario.
        top_map: That of the highest scenario.
        lost: ``top_map - best_map``.
        cost: What the scenario costs.
        stop: Where to stop.
        schedule: Whether the schedule was long enough.
        next_runs: Runs on this data amount that would help to decide.
        runs: The runs of the recommended scenario.
        top_runs: The runs of the highest one.
        unfrozen_runs: The runs without freezing.
        image_noise: An ``ImageNoise``, where detections are kept, and the status heeds it.
        rates: The learning rates of the scenarios, where the study tries several.
        longer: A ``LongerSchedule``, where this one was too short and more iterations of the same
            training are at hand.
    """

    amount: TrainingSet
    status: str
    frozen: dict[int, int]
    arms: dict[int, ArmResult]
    ranking: Ranking
    noise: Noise | None
    best_map: Estimate
    top_map: Estimate
    lost: Estimate
    cost: ScenarioCost
    stop: StoppingPoint
    schedule: ScheduleLength
    next_runs: tuple[NextRun, ...]
    runs: tuple[Run, ...]
    top_runs: tuple[Run, ...]
    unfrozen_runs: tuple[Run, ...]
    image_noise: Any = None
    rates: OwnRates | None = None
    longer: Any = None

    @property
    def trainable(self) -> int:
        """Number of trainable stages to use."""
        return self.ranking.chosen

    @property
    def top_trainable(self) -> int:
        """The scenario with the highest mean best mAP."""
        return self.ranking.highest

    @property
    def margin(self) -> float:
        """Loss of mAP that does not matter."""
        return self.ranking.margin

    @property
    def probability_within_margin(self) -> float | None:
        """Probability that the recommended scenario loses no more than the margin."""
        return self.ranking.probability_within.get(self.trainable)

    @property
    def largest_loss(self) -> float | None:
        """Upper 95% bound of what the recommended scenario loses to the best."""
        return self.ranking.largest_loss.get(self.trainable)

    @property
    def safe_choice(self) -> int | None:
        """Fewest trainable stages that are likely within the margin, or None."""
        return self.ranking.safe_choice

    @property
    def compared(self) -> tuple[int, ...]:
        """Numbers of trainable stages that there were runs of."""
        return tuple(self.ranking.means)

    @property
    def frozen_stages(self) -> int:
        """MMDetection's number for the recommended scenario."""
        return self.frozen[self.trainable]

    @property
    def stages(self) -> int:
        """Number of trainable stages with nothing frozen."""
        return self.runs[0].stages

    @property
    def counts_as_resnet(self) -> bool:
        """Whether ``frozen_stages`` names a stem and four stages, as a ResNet's does."""
        freezing = {k: frozen for k, frozen in self.frozen.items() if k not in self.arms}
        return counts_as_resnet(self.stages, freezing)

    @property
    def no_common_hardware(self) -> bool:
        """Whether it and the unfrozen scenario were trained on different devices alone."""
        return bool(self.unfrozen_runs) and self.cost.hardware is None

    @property
    def scenario(self) -> str:
        """The recommended scenario's name."""
        return self.runs[0].scenario

    @property
    def arm(self) -> ArmResult | None:
        """The recommended scenario where it is none of freezing stages."""
        return self.arms.get(self.trainable)

    def label(self, key: int | None) -> int | str | None:
        """Return what a scenario is called: its ``frozen_stages``, or the arm's name."""
        return self.arms[key].name if key in self.arms else self.frozen.get(key)

    def stages_of(self, key: int) -> int | None:
        """Return a scenario's number of trainable stages; None for an arm."""
        return None if key in self.arms else key


def recommend(cohort: Cohort, margin: float = MARGIN) -> list[Recommendation]:
    """Recommend for each data amount that has finished runs of at least two scenarios.

    The recommended scenario has the fewest trainable stages whose mean best mAP is within the
    margin of the highest mean best mAP. Where no freezing scenario is, it is the highest arm.

    Args:
        cohort: Comparable runs.
        margin: Loss of mAP that does not matter (0.004 is 0.4 percentage points).

    Returns:
        One recommendation for each such data amount, the largest first.
    """
    noise, following = best_map_noise(cohort), next_runs(cohort, margin)
    several = several_hardware(cohort.complete_runs)
    result = []
    for amount in cohort.amounts:
        cells = cohort.all_cells(amount)
        if len(cells) >= 2 and min(cells) <= cohort.unfrozen:
            one = _recommend(amount, cells, noise, margin, following, several, cohort.unfrozen)
            result.append(replace(one, rates=own_rates(cohort, amount, cells, one.ranking)))
    return result


def _recommend(
    amount: TrainingSet,
    cells: Mapping[int, Sequence[Run]],
    noise: Noise | None,
    margin: float,
    following: Sequence[NextRun],
    several: bool,
    last_stage: int,
) -> Recommendation:
    values = {k: [best_map(run) for run in runs] for k, runs in cells.items()}
    ranking = rank(values, noise, margin, [k for k in cells if k > last_stage])
    chosen, top = ranking.chosen, ranking.highest
    length = schedule_length(cells, margin)
    unfrozen = [run for runs in cells.values() for run in runs if run.unfrozen]
    return Recommendation(
        amount=amount,
        status=_status(ranking, noise, length),
        frozen={k: runs[0].frozen_stages for k, runs in cells.items()},
        arms=_arms(cells, unfrozen, noise, margin, several, last_stage),
        ranking=ranking,
        noise=noise,
        best_map=mean(values[chosen], noise),
        top_map=mean(values[top], noise),
        lost=difference(values[top], values[chosen], noise) if top != chosen else Estimate(0.0),
        cost=_cost(cells[chosen], unfrozen, several),
        stop=_stopping_point(cells[chosen]),
        schedule=length,
        next_runs=tuple(run for run in following if run.amount == amount),
        runs=tuple(cells[chosen]),
        top_runs=tuple(cells[top]),
        unfrozen_runs=tuple(unfrozen),
    )


def _arms(
    cells: Mapping[int, Sequence[Run]],
    unfrozen: Sequence[Run],
    noise: Noise | None,
    margin: float,
    several: bool,
    last_stage: int,
) -> dict[int, ArmResult]:
    freezing = {k: [best_map(run) for run in runs] for k, runs in cells.items() if k <= last_stage}
    against = rank(freezing, None, margin).chosen

    results = {}
    for k, runs in cells.items():
        if k > last_stage:
            values = [best_map(run) for run in runs]
            results[k] = ArmResult(
                name=runs[0].arm,
                does=runs[0].arm_does or f"training as in {runs[0].arm}",
                best_map=mean(values, noise),
                gain=difference(values, freezing[against], noise),
                against=against,
                time_ratio=_cost(runs, unfrozen, several).time_ratio,
                runs=tuple(runs),
                against_runs=tuple(cells[against]),
            )
    return results


def _status(ranking: Ranking, noise: Noise | None, length: ScheduleLength) -> str:
    """Say how sure the recommendation is; one seed, or too short a schedule, is provisional."""
    if noise is None:
        return UNDECIDED
    single = min(ranking.runs[ranking.chosen], ranking.runs[ranking.highest]) < 2
    if single or length.too_short or not noise.measured:
        return PROVISIONAL
    if ranking.largest_loss[ranking.chosen] <= ranking.margin:
        return SHOWN
    likely = ranking.probability_within[ranking.chosen] >= LIKELY
    return LIKELY_STATUS if likely else PROVISIONAL


def _cost(runs: Sequence[Run], unfrozen: Sequence[Run], several: bool) -> ScenarioCost:
    shared = shared_hardware(runs, unfrozen)
    ours, theirs = _on(shared, runs), _on(shared, unfrozen)
    timed = ours or next(iter(by_hardware(runs).values()), [])
    return ScenarioCost(
        time=average(timed, measures.training_time),
        time_ratio=_ratio(ours, theirs, measures.training_time),
        memory_ratio=_ratio(ours, theirs, lambda run: run.peak_memory_mb),
        parameter_ratio=_ratio(runs, unfrozen, lambda run: run.trainable_parameters),
        hardware=shared,
        several_hardware=several,
        runs=tuple(ours) + tuple(run for run in theirs if run not in ours),
    )


def _on(kind: str | None, runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if kind is not None and hardware(run) == kind]


def _stopping_point(runs: Sequence[Run]) -> StoppingPoint:
    best = sorted(measures.best(run).iteration for run in runs)
    iteration = best[(len(best) - 1) // 2]
    near = [measures.as_good_as_best(run) for run in runs]
    lengths = {run.max_iterations for run in runs}
    length = lengths.pop() if len(lengths) == 1 else None
    return StoppingPoint(
        iteration=iteration,
        earliest=min(first for first, _ in near),
        latest=max(last for _, last in near),
        share=iteration / length if length else None,
        lost_after=float(np.mean([measures.gap(run) for run in runs])),
        by_noise=average(runs, measures.gap_by_noise),
    )


def average(runs: Sequence[Run], measure: Callable[[Run], float | None]) -> float | None:
    """Return the mean of a measure over runs, or None where any of them lacks it."""
    values = [measure(run) for run in runs]
    if not values or any(value is None for value in values):
        return None
    return float(np.mean(values))


def _ratio(runs, unfrozen, measure) -> float | None:
    ours, theirs = average(runs, measure), average(unfrozen, measure)
    return ours / theirs if ours is not None and theirs else None
