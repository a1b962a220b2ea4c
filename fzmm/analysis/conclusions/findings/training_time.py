"""Finding 3: training time rises with each trainable stage, except the stem."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
from fzmm.analysis.statistics.hardware import by_hardware, cohorts_by_hardware
from fzmm.analysis.statistics.noise import Noise, measured_noise, noise_of_repeats, repeats

# Half of what a stage costs in the thesis (5 to 7%, Figure 13): less is lost beside a stage.
LOST = 0.03


def training_time(cohort: Cohort) -> Finding:
    """Test finding 3 on the logarithm of the training time.

    It is compared within each data amount and kind of hardware.

    Claims:
        ``rises``: ``estimate`` is the step between neighbouring scenarios with the least lower
        end, relative (0.05 is 5% more time for the higher). Numbers: ``steps``, an Estimate by
        (lower, higher) number of trainable stages. It holds only where all steps below the stem
        do (four of a ResNet's five stages).
        ``stem_is_lost``: ``estimate`` is the relative time of all against all but one trainable
        stages (5 against 4), ``margin`` what counts as none; open for a backbone without a stem.
        Numbers: ``stages`` (all).
    """
    parts = list(cohorts_by_hardware(cohort).values())
    noise = _noise(parts)
    return Finding(3, (_rises(cohort, parts, noise), _stem_is_lost(cohort, parts, noise)))


def _noise(parts: Sequence[Cohort]) -> Noise | None:
    """Pool the noise within set-ups on one kind of hardware."""
    set_ups = [runs for part in parts for runs in repeats(part)]
    of_subsets = filter(None, (measured_noise(part, _log_time) for part in parts))
    return noise_of_repeats(set_ups, _log_time) or max(
        of_subsets, key=lambda noise: noise.freedom, default=None
    )


def _rises(cohort: Cohort, parts: Sequence[Cohort], noise: Noise | None) -> Claim:
    end = cohort.unfrozen - cohort.has_stem
    stages = [k for k in cohort.scenarios if k <= end]
    steps, runs = {}, []
    for low, high in zip(stages, stages[1:], strict=False):
        estimate, used = _relative_time(parts, low, high, noise)
        if estimate is not None:
            steps[low, high] = estimate
            runs += used

    if not steps:
        return Claim("rises")

    verdict = all_of([above(estimate) for estimate in steps.values()])
    if verdict == HOLDS and set(steps) != {(k, k + 1) for k in range(end)}:
        verdict = POINTS  # one is unknown, or of a step over two stages one may cost nothing
    numbers = {"steps": steps, "hardware": list(by_hardware(runs))}
    return Claim("rises", verdict, least(list(steps.values())), 0.0, numbers, tuple(runs))


def _stem_is_lost(cohort: Cohort, parts: Sequence[Cohort], noise: Noise | None) -> Claim:
    every = cohort.unfrozen
    estimate, runs = _relative_time(parts, every - 1, every, noise)
    if estimate is None or not cohort.has_stem:
        return Claim("stem_is_lost", margin=LOST)
    numbers = {"stages": every, "hardware": list(by_hardware(runs))}
    return Claim("stem_is_lost", within(estimate, LOST), estimate, LOST, numbers, tuple(runs))


def _relative_time(parts: Sequence[Cohort], low: int, high: int, noise: Noise | None):
    """Return time(high) / time(low) - 1, mean over data amounts and hardware that have both."""
    pairs = []
    for part, amount in ((each, amount) for each in parts for amount in each.amounts):
        cells = [
            [run for run in part.cell(amount, k) if _log_time(run) is not None] for k in (low, high)
        ]
        if all(cells):
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
