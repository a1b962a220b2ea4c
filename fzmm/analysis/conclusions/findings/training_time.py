"""Finding 3: training time rises with each trainable stage, except the stem."""

from __future__ import annotations

import math

from fzmm.analysis.conclusions.findings.claims import (
    HOLDS,
    POINTS,
    Claim,
    Finding,
    above,
    all_of,
    least,
    within,
)
from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics import measures
from fzmm.analysis.statistics.cohorts import Cohort
from fzmm.analysis.statistics.estimates import Estimate, contrast
from fzmm.analysis.statistics.noise import Noise, measured_noise

# Half of what a stage costs in the thesis (5 to 7%, Figure 13): less is lost beside a stage.
LOST = 0.03


def training_time(cohort: Cohort) -> Finding:
    """Test finding 3 on the logarithm of the training time, compared within each data amount.

    Claims:
        ``rises``: ``estimate`` is the step between neighbouring scenarios with the least lower
        end, relative (0.05 is 5% more time for the higher). Numbers: ``steps``, an Estimate by
        (lower, higher) number of trainable stages. It holds only where all steps below the stem
        do (four of a ResNet's five stages).
        ``stem_is_lost``: ``estimate`` is the relative time of all against all but one trainable
        stages (5 against 4), ``margin`` what counts as none; open for a backbone without a stem.
        Numbers: ``stages`` (all).
    """
    noise = measured_noise(cohort, _log_time)
    return Finding(3, (_rises(cohort, noise), _stem_is_lost(cohort, noise)))


def _rises(cohort: Cohort, noise: Noise | None) -> Claim:
    end = cohort.unfrozen - cohort.has_stem
    stages = [k for k in cohort.scenarios if k <= end]
    steps, runs = {}, []
    for low, high in zip(stages, stages[1:], strict=False):
        estimate, used = _relative_time(cohort, low, high, noise)
        if estimate is not None:
            steps[low, high] = estimate
            runs += used

    if not steps:
        return Claim("rises")

    verdict = all_of([above(estimate) for estimate in steps.values()])
    if verdict == HOLDS and stages != list(range(end + 1)):
        verdict = POINTS  # of a step over two stages, one may cost nothing
    return Claim("rises", verdict, least(list(steps.values())), 0.0, {"steps": steps}, tuple(runs))


def _stem_is_lost(cohort: Cohort, noise: Noise | None) -> Claim:
    every = cohort.unfrozen
    estimate, runs = _relative_time(cohort, every - 1, every, noise)
    if estimate is None or not cohort.has_stem:
        return Claim("stem_is_lost", margin=LOST)
    numbers = {"stages": every}
    return Claim("stem_is_lost", within(estimate, LOST), estimate, LOST, numbers, tuple(runs))


def _relative_time(cohort: Cohort, low: int, high: int, noise: Noise | None):
    """Return time(high) / time(low) - 1, mean over the data amounts that have both."""
    pairs = []
    for amount in cohort.amounts:
        cells = [cohort.cell(amount, k) for k in (low, high)]
        if all(cells) and all(_log_time(run) is not None for cell in cells for run in cell):
            pairs.append(cells)

    if not pairs:
        return None, []

    terms = [
        (sign / len(pairs), [_log_time(run) for run in cell])
        for pair in pairs
        for sign, cell in zip((-1, 1), pair, strict=True)
    ]
    runs = [run for pair in pairs for cell in pair for run in cell]

    return _exponential(contrast(terms, noise)), runs


def _exponential(logarithm: Estimate) -> Estimate:
    ends = [
        None if value is None else math.expm1(value)
        for value in (logarithm.value, logarithm.low, logarithm.high)
    ]
    return Estimate(*ends, logarithm.n, logarithm.method)


def _log_time(run: Run) -> float | None:
    seconds = measures.training_time(run)
    return math.log(seconds) if seconds else None
