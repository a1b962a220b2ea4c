"""What to freeze for each data amount, what that saves and where to stop training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics import measures
from fzmm.analysis.statistics.cohorts import Cohort, TrainingSet
from fzmm.analysis.statistics.estimates import Estimate, Noise, best_map, difference, mean, noise
from fzmm.scenarios import UNFROZEN, frozen_stages, scenario_name


@dataclass(frozen=True)
class Recommendation:
    """The advice for one data amount.

    Attributes:
        amount: The data amount.
        trainable: Number of trainable stages to use.
        best_map: Mean best mAP of that scenario.
        top_trainable: The scenario with the highest mean best mAP.
        top_map: Its mean best mAP.
        lost: ``top_map - best_map`` with Welch's interval where there are repeats.
        tolerance: What counts as equal, in mAP.
        noise: The noise that the tolerance comes from, or that stands beside it.
        time: Training seconds of the recommended scenario; None is unknown.
        time_ratio: That against the unfrozen run's; None without an unfrozen run.
        memory_ratio: The same for peak memory.
        parameter_ratio: The same for trainable parameters.
        stop_at: Mean iteration of the best evaluation.
        stop_range: Earliest and latest of these among the repeats.
        stop_share: ``stop_at`` as a share of the schedule.
        lost_after: Mean best minus last mAP: what going on to the end loses.
        runs: The runs of the recommended scenario.
        top_runs: The runs of the best one.
        unfrozen_runs: The runs without freezing.
        compared: Numbers of trainable stages that there were runs of.
    """

    amount: TrainingSet
    trainable: int
    best_map: Estimate
    top_trainable: int
    top_map: Estimate
    lost: Estimate
    tolerance: float
    noise: Noise
    time: float | None
    time_ratio: float | None
    memory_ratio: float | None
    parameter_ratio: float | None
    stop_at: int
    stop_range: tuple[int, int]
    stop_share: float | None
    lost_after: float
    runs: tuple[Run, ...]
    top_runs: tuple[Run, ...]
    unfrozen_runs: tuple[Run, ...]
    compared: tuple[int, ...]

    @property
    def frozen_stages(self) -> int:
        """MMDetection's number for the recommended scenario."""
        return frozen_stages(self.trainable)

    @property
    def scenario(self) -> str:
        """The recommended scenario's name."""
        return scenario_name(self.frozen_stages)


def recommend(cohort: Cohort, tolerance: float | None = None) -> list[Recommendation]:
    """Advise on each data amount of a cohort that has finished runs of at least two scenarios.

    The advice is the scenario with the fewest trainable stages whose mean best mAP is within the
    tolerance of the highest mean best mAP.

    Args:
        cohort: Comparable runs.
        tolerance: In mAP (0.004 is 0.4 percentage points); the measured noise by default, and the
            thesis's 0.4 percentage points where there are no repeats to measure it.

    Returns:
        One recommendation for each such data amount, the largest first.
    """
    measured = noise(cohort)
    tolerance = measured.value if tolerance is None else tolerance
    found = []
    for amount in cohort.amounts:
        cells = cohort.cells(amount)
        if len(cells) >= 2:
            found.append(_advise(amount, cells, tolerance, measured))
    return found


def _advise(amount, cells: dict[int, list[Run]], tolerance: float, measured) -> Recommendation:
    values = {k: [best_map(run) for run in runs] for k, runs in cells.items()}
    means = {k: mean(v) for k, v in values.items()}
    top = max(means, key=lambda k: (means[k].value, -k))
    chosen = min(k for k in means if means[top].value - means[k].value <= tolerance + 1e-12)
    runs, unfrozen = cells[chosen], cells.get(UNFROZEN, [])
    stops = [measures.best(run).iteration for run in runs]
    lengths = {run.max_iterations for run in runs}
    length = lengths.pop() if len(lengths) == 1 else None
    stop = int(np.median(stops))
    return Recommendation(
        amount=amount,
        trainable=chosen,
        best_map=means[chosen],
        top_trainable=top,
        top_map=means[top],
        lost=difference(values[top], values[chosen]) if top != chosen else Estimate(0.0),
        tolerance=tolerance,
        noise=measured,
        time=average(runs, measures.training_time),
        time_ratio=_ratio(runs, unfrozen, measures.training_time),
        memory_ratio=_ratio(runs, unfrozen, lambda run: run.peak_memory_mb),
        parameter_ratio=_ratio(runs, unfrozen, lambda run: run.trainable_parameters),
        stop_at=stop,
        stop_range=(min(stops), max(stops)),
        stop_share=stop / length if length else None,
        lost_after=float(np.mean([measures.gap(run) for run in runs])),
        runs=tuple(runs),
        top_runs=tuple(cells[top]),
        unfrozen_runs=tuple(unfrozen),
        compared=tuple(cells),
    )


def average(runs: list[Run], measure) -> float | None:
    """Return the mean of a measure over runs, or None where any of them lacks it."""
    values = [measure(run) for run in runs]
    if not values or any(value is None for value in values):
        return None
    return float(np.mean(values))


def _ratio(runs, unfrozen, measure) -> float | None:
    ours, theirs = average(runs, measure), average(unfrozen, measure)
    return ours / theirs if ours is not None and theirs else None
