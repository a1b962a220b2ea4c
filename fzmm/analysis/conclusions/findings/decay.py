"""Finding 4: the first decay lifts every run; on subsets the mAP then falls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from fzmm.analysis.conclusions.findings.claims import (
    Claim,
    Finding,
    above,
    all_of,
    below,
    least,
)
from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics import measures
from fzmm.analysis.statistics.cohorts import Cohort
from fzmm.analysis.statistics.estimates import Estimate, contrast, mean
from fzmm.analysis.statistics.noise import Measure, measured_noise, repeats

FEW = (0, 1)
_after_first = partial(measures.change_after, decay=0)
_after_second = partial(measures.change_after, decay=1)
_train_after_first = partial(measures.change_after, decay=0, metric="train_split/bbox_mAP")


def decay(cohort: Cohort) -> Finding:
    """Test finding 4 on gains at decays and on slopes (mAP per 1,000 iterations) between them.

    Claims:
        ``lifts_all``: ``estimate`` is the gain at the first decay of the set-up with the least
        lower end. Numbers: ``lowest``, ``highest`` and ``average`` gain of a run, ``risen`` and
        ``total`` runs.
        ``less_with_few_stages``: ``estimate`` is the mean gain of scenarios with 2 or more
        trainable stages minus that with 0 or 1, within a data amount, mean over data amounts.
        ``then_falls``: on less than all the data, ``estimate`` is the mean slope of the validation
        mAP after the first decay. Numbers: ``train`` (the same of the training-split mAP, an
        Estimate, or None where it is not logged), ``falling`` and ``total`` runs.
        ``second_slows``: ``estimate`` is the mean slope after the second decay minus that before
        it. Numbers: ``before`` and ``after`` (the two slopes, Estimates).
    """
    claims = (
        _lifts_all(cohort),
        _less_with_few_stages(cohort),
        _then_falls(cohort),
        _second_slows(cohort),
    )
    return Finding(4, claims)


def _lifts_all(cohort: Cohort) -> Claim:
    cells = _with(measures.decay_gain, repeats(cohort))
    if not cells:
        return Claim("lifts_all")

    noise = measured_noise(cohort, measures.decay_gain)
    estimates = [mean(_values(measures.decay_gain, cell), noise) for cell in cells]
    runs = tuple(run for cell in cells for run in cell)
    gains = _values(measures.decay_gain, runs)
    numbers = {
        "lowest": min(gains),
        "highest": max(gains),
        "average": float(np.mean(gains)),
        "risen": sum(gain > 0 for gain in gains),
        "total": len(gains),
    }

    verdict = all_of([above(estimate) for estimate in estimates])
    return Claim("lifts_all", verdict, least(estimates), 0.0, numbers, runs)


def _less_with_few_stages(cohort: Cohort) -> Claim:
    terms, runs, amounts = [], [], 0
    for amount in cohort.amounts:
        cells = cohort.cells(amount)
        few = _with(measures.decay_gain, [cells[k] for k in cells if k in FEW])
        many = _with(measures.decay_gain, [cells[k] for k in cells if k not in FEW])
        if few and many:
            amounts += 1
            terms += [(-1 / len(few), cell) for cell in few]
            terms += [(1 / len(many), cell) for cell in many]
            runs += [run for cell in few + many for run in cell]

    if not terms:
        return Claim("less_with_few_stages")

    terms = [(w / amounts, _values(measures.decay_gain, cell)) for w, cell in terms]
    estimate = contrast(terms, measured_noise(cohort, measures.decay_gain))
    return Claim("less_with_few_stages", above(estimate), estimate, runs=tuple(runs))


def _then_falls(cohort: Cohort) -> Claim:
    cells = _with(_after_first, _on_subsets(cohort))
    if not cells:
        return Claim("then_falls")

    estimate = _average(cohort, _after_first, cells)
    runs = tuple(run for cell in cells for run in cell)
    numbers = {
        "train": None,
        "falling": sum(value < 0 for value in _values(_after_first, runs)),
        "total": len(runs),
    }
    logged = _with(_train_after_first, cells)

    if not logged:
        return Claim("then_falls", estimate=estimate, numbers=numbers, runs=runs)

    numbers["train"] = _average(cohort, _train_after_first, logged)
    verdict = all_of([below(estimate, 0.0), above(numbers["train"])])
    return Claim("then_falls", verdict, estimate, 0.0, numbers, runs)


def _second_slows(cohort: Cohort) -> Claim:
    cells = _with(_after_second, _with(_after_first, _on_subsets(cohort)))
    if not cells:
        return Claim("second_slows")

    before, after = (_average(cohort, measure, cells) for measure in (_after_first, _after_second))
    slower = _average(cohort, _slowing, cells)
    verdict = all_of([below(before, 0.0), above(slower)])
    runs = tuple(run for cell in cells for run in cell)
    return Claim("second_slows", verdict, slower, 0.0, {"before": before, "after": after}, runs)


def _slowing(run: Run) -> float | None:
    before, after = _after_first(run), _after_second(run)
    return None if before is None or after is None else after - before


def _on_subsets(cohort: Cohort) -> list[list[Run]]:
    """Return the set-ups on less than the largest data amount in which a stage trains."""
    amounts = [amount for level in cohort.levels[1:] for amount in level]
    return [runs for amount in amounts for k, runs in cohort.cells(amount).items() if k]


def _with(measure: Measure, cells: list[list[Run]]) -> list[list[Run]]:
    """Keep the runs that have the measure, and the cells that are left with any."""
    kept = [[run for run in cell if measure(run) is not None] for cell in cells]
    return [cell for cell in kept if cell]


def _average(cohort: Cohort, measure: Measure, cells: list[list[Run]]) -> Estimate:
    terms = [(1 / len(cells), _values(measure, cell)) for cell in cells]
    return contrast(terms, measured_noise(cohort, measure))


def _values(measure: Measure, runs: Sequence[Run]) -> list[float]:
    return [measure(run) for run in runs]
