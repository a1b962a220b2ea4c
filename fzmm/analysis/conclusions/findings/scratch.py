"""Finding 5: from scratch converges later and lower than pretrained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fzmm.analysis.conclusions.findings.claims import Claim, Finding, above
from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics import measures
from fzmm.analysis.statistics.cohorts import Cohort, is_complete
from fzmm.analysis.statistics.estimates import difference
from fzmm.analysis.statistics.noise import (
    Measure,
    best_map,
    larger_noise,
    noise_of_repeats,
    repeats,
)


def scratch(cohort: Cohort, other_cohorts: Sequence[Cohort] = ()) -> Finding:
    """Test finding 5 on unfrozen runs, with the larger of the pooled noise and their own.

    Claims:
        ``lower``: ``estimate`` is the mean best mAP pretrained minus that from scratch.
        ``later``: ``estimate`` is the mean iteration of the best evaluation from scratch minus
        that pretrained. Numbers: ``best_at`` and ``first`` (mean iteration of the best evaluation,
        and mAP of the first), each pretrained and from scratch.
    """
    cohorts = [cohort, *other_cohorts]
    pair = next(iter(scratch_pairs(cohorts, cohort)), None)
    if pair is None:
        return Finding(5, (Claim("lower"), Claim("later")))

    pretrained, from_scratch = pair
    lower = _difference(cohorts, best_map, pretrained, from_scratch)
    later = _difference(cohorts, _best_iteration, from_scratch, pretrained)
    numbers = {
        "best_at": [float(np.mean([_best_iteration(run) for run in runs])) for runs in pair],
        "first": [
            float(np.mean([measures.first_evaluation(run) for run in runs])) for runs in pair
        ],
    }

    runs = tuple(pretrained + from_scratch)
    return Finding(
        5,
        (
            Claim("lower", above(lower), lower, runs=runs),
            Claim("later", above(later), later, 0.0, numbers, runs),
        ),
    )


def scratch_pairs(cohorts: Sequence[Cohort], cohort: Cohort) -> list[tuple[list[Run], list[Run]]]:
    """Match runs from scratch with pretrained, unfrozen runs on the same data and model.

    They lie in different cohorts, and may in different studies: then the data's checksums match.
    In the thesis their schedules differ by design (section 4.3.3); where some are equal, those
    are compared.

    Args:
        cohorts: Where to look.
        cohort: One of them; only pairs with a run of it count.

    Returns:
        Pretrained runs and runs from scratch of each pair.
    """
    groups: dict[tuple, tuple[list[Run], list[Run]]] = {}
    for run in (run for member in cohorts for run in member.runs):
        if is_complete(run) and run.unfrozen and run.initialisation:
            data = (run.train.sha256, run.val.sha256)
            if None in data:
                data = (run.dataset, run.train.identity, run.val.identity)
            key = (*data, run.model, run.metric)
            groups.setdefault(key, ([], []))[run.from_scratch].append(run)
    pairs = [_of_equal_schedules(pair) for pair in groups.values() if all(pair)]
    own = {id(run) for run in cohort.runs}
    return [pair for pair in pairs if any(id(run) in own for runs in pair for run in runs)]


def _of_equal_schedules(pair: tuple[list[Run], list[Run]]) -> tuple[list[Run], list[Run]]:
    shared = set.intersection(*({run.schedule for run in runs} for runs in pair))
    if not shared:
        return pair
    return tuple([run for run in runs if run.schedule in shared] for runs in pair)


def _difference(cohorts, measure: Measure, first: list[Run], second: list[Run]):
    # other scenarios can be steadier than these, above all in the iteration of their best
    groups = [[cell for member in cohorts for cell in repeats(member)], [first, second]]
    noise = larger_noise(*(noise_of_repeats(set_ups, measure) for set_ups in groups))
    return difference([measure(run) for run in first], [measure(run) for run in second], noise)


def _best_iteration(run: Run) -> float | None:
    top = measures.best(run)
    return None if top is None else float(top.iteration)
