"""Finding 1: over-training grows as the data shrinks; with everything frozen there is little."""

from __future__ import annotations

from functools import partial

from fzmm.analysis.conclusions.findings.claims import (
    Claim,
    Finding,
    above,
    all_of,
    below,
    greatest,
)
from fzmm.analysis.statistics import measures
from fzmm.analysis.statistics.cohorts import Cohort
from fzmm.analysis.statistics.estimates import contrast, mean
from fzmm.analysis.statistics.noise import Measure, Noise, measured_noise

# The thesis calls 0.4 pp "almost none" beside 2.3 to 2.7 pp with trainable stages (section 5.3.3).
ALMOST_NONE = 0.01


def overtraining(cohort: Cohort) -> Finding:
    """Test finding 1 on the gaps between best and last mAP, over equally many evaluations.

    Claims:
        ``grows``: ``estimate`` is the gap at the smallest data amount minus that at the largest,
        mean over the shared scenarios with trainable stages. Numbers: ``small`` and ``large``
        (names of the data amounts), ``scenarios`` (how many), ``evaluations`` (how many each run's
        gap is taken over).
        ``little_when_frozen``: ``estimate`` is the largest mean gap of a data amount with
        everything frozen, ``margin`` what counts as almost none.
    """
    evaluations = min((len(run.curve()[0]) for run in cohort.complete_runs), default=0)
    gap = partial(measures.gap, evaluations=evaluations)
    return Finding(1, (_grows(cohort, gap, evaluations), _little_when_frozen(cohort, gap)))


def _noise(cohort: Cohort, gap: Measure) -> Noise | None:
    """Return the noise of the gap, or None where all repeats' gaps are equal.

    The gap of a run that is best at its end is zero, and a few repeats can all be such. That
    measures nothing: an interval of no width would show any difference at all.
    """
    noise = measured_noise(cohort, gap)
    return noise if noise and noise.deviation > 0 else None


def _grows(cohort: Cohort, gap: Measure, evaluations: int) -> Claim:
    ends = cohort.smallest_and_largest
    shared = [k for k in cohort.shared_scenarios(ends) if k > 0] if ends else []
    if not shared:
        return Claim("grows")

    terms, runs = [], []
    for sign, amount in zip((1, -1), ends, strict=True):
        cells = [cohort.cell(amount, k) for k in shared]
        terms += [(sign / len(shared), [gap(run) for run in cell]) for cell in cells]
        runs += [run for cell in cells for run in cell]

    estimate = contrast(terms, _noise(cohort, gap))
    numbers = {
        "small": cohort.name(ends[0]),
        "large": cohort.name(ends[1]),
        "scenarios": len(shared),
        "evaluations": evaluations,
    }

    return Claim("grows", above(estimate), estimate, 0.0, numbers, tuple(runs))


def _little_when_frozen(cohort: Cohort, gap: Measure) -> Claim:
    cells = [cell for amount in cohort.amounts if (cell := cohort.cell(amount, 0))]
    if not cells:
        return Claim("little_when_frozen", margin=ALMOST_NONE)

    noise = _noise(cohort, gap)
    estimates = [mean([gap(run) for run in cell], noise) for cell in cells]
    verdict = all_of([below(estimate, ALMOST_NONE) for estimate in estimates])
    runs = tuple(run for cell in cells for run in cell)
    return Claim("little_when_frozen", verdict, greatest(estimates), ALMOST_NONE, runs=runs)
