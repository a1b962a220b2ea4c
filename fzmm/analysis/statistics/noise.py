"""How much a measure moves when nothing but the seed changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics import measures, thesis
from fzmm.analysis.statistics.cohorts import Cohort

REPEATS, SUBSETS, THESIS = "repeats", "subsets", "thesis"
Measure = Callable[[Run], float | None]


@dataclass(frozen=True)
class Noise:
    """The standard deviation of a measure between runs that differ in the seed alone.

    Attributes:
        deviation: Standard deviation, in the measure's unit.
        freedom: Degrees of freedom of ``deviation``.
        source: Where it comes from: ``repeats`` (pooled within the set-ups), ``subsets`` (what
            scenario and subset do not explain where one size has several subsets) or ``thesis``.
        largest_range: Largest max - min over the repeats of one set-up, as the thesis gives it;
            None without repeats.
        relative_range: The largest of these ranges relative to its mean; None without repeats.
        runs: The repeats of the set-up with the largest range, or all runs behind the residual.
    """

    deviation: float
    freedom: int
    source: str
    largest_range: float | None = None
    relative_range: float | None = None
    runs: tuple[Run, ...] = ()

    @property
    def measured(self) -> bool:
        """Whether it comes from the runs at hand."""
        return self.source != THESIS


def best_map_noise(cohort: Cohort) -> Noise | None:
    """Return the noise of the best mAP; for COCO without repeats that of the thesis.

    The thesis's 0.4 pp is the largest of six ranges of three repeats. That is 2.91 standard
    deviations on average (200,000 simulated draws), and varies as much as an estimate with 8
    degrees of freedom.
    """
    noise = measured_noise(cohort, best_map)
    if noise is None and thesis.is_coco(cohort.runs):
        return Noise(thesis.LARGEST_RANGE / thesis.RANGE_IN_DEVIATIONS, thesis.FREEDOM, THESIS)
    return noise


def measured_noise(cohort: Cohort, measure: Measure) -> Noise | None:
    """Return the noise of a measure from repeats or else from subsets of one size, or None."""
    set_ups = repeats(cohort) if not cohort.rate_choices else _repeats_at_all_rates(cohort)
    return noise_of_repeats(set_ups, measure) or _noise_of_subsets(cohort, measure)


def larger_noise(*noises: Noise | None) -> Noise | None:
    """Return the one with the largest deviation of those that are known, or None."""
    known = [noise for noise in noises if noise is not None]
    return max(known, key=lambda noise: noise.deviation, default=None)


def noise_of_repeats(set_ups: list[list[Run]], measure: Measure) -> Noise | None:
    """Pool the variance within set-ups.

    Args:
        set_ups: The runs of each set-up.
        measure: Gives a run's value; runs without one are left out.

    Returns:
        The noise, or None where no set-up has two values.
    """
    repeated = [
        (values, runs)
        for values, runs in (_measured(runs, measure) for runs in set_ups)
        if len(values) > 1
    ]
    if not repeated:
        return None

    pooled = noise_of_values([values for values, _ in repeated])
    ranges = [(*measures.spread(values), tuple(runs)) for values, runs in repeated]
    largest, _, runs = max(ranges, key=lambda entry: entry[0])
    relative = max(share for _, share, _ in ranges)
    return replace(pooled, largest_range=largest, relative_range=relative, runs=runs)


def noise_of_values(groups: Sequence[Sequence[float]]) -> Noise | None:
    """Pool the variance within groups of values; None where no group has two."""
    freedom = sum(len(values) - 1 for values in groups)
    if not freedom:
        return None
    squares = sum(float(np.var(values)) * len(values) for values in groups)
    return Noise(math.sqrt(squares / freedom), freedom, REPEATS)


def _measured(runs: list[Run], measure: Measure) -> tuple[list[float], list[Run]]:
    pairs = [(measure(run), run) for run in runs]
    kept = [(value, run) for value, run in pairs if value is not None and math.isfinite(value)]
    return [value for value, _ in kept], [run for _, run in kept]


def _noise_of_subsets(cohort: Cohort, measure: Measure) -> Noise | None:
    """Return the residual of scenario x subset, of the size with the most degrees of freedom."""
    residuals = [_residual(cohort, level, measure) for level in cohort.levels if len(level) > 1]
    return max(filter(None, residuals), key=lambda noise: noise.freedom, default=None)


def _residual(cohort: Cohort, subsets: list, measure: Measure) -> Noise | None:
    rows = {k: [cohort.cell(subset, k)[:1] for subset in subsets] for k in cohort.scenarios}
    runs = [[cell[0] for cell in row] for row in rows.values() if all(row)]
    values = [[measure(run) for run in row] for row in runs]
    if len(runs) < 2 or any(value is None for row in values for value in row):
        return None

    table = np.array(values)
    residual = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
    deviation = math.sqrt(float((residual**2).sum()) / freedom)
    return Noise(deviation, freedom, SUBSETS, runs=tuple(run for row in runs for run in row))


def best_map(run: Run) -> float | None:
    """Return a run's best mAP, or None."""
    top = measures.best(run)
    return None if top is None else top.value


def repeats(cohort: Cohort) -> list[list[Run]]:
    """Return the finished runs of each set-up (data amount and scenario) that has any."""
    cells = (
        cohort.cell(amount, trainable) for amount in cohort.amounts for trainable in cohort.compared
    )
    return [runs for runs in cells if runs]


def _repeats_at_all_rates(cohort: Cohort) -> list[list[Run]]:
    """Return the finished runs of each set-up at each learning rate that did not diverge.

    Those that chose a rate are not compared, but how far seeds are apart they tell like the others.
    """
    return [
        list(runs)
        for choice in cohort.rate_choices.values()
        for rate, runs in choice.whole.items()
        if not choice.diverges(rate)
    ]
