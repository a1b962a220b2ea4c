"""The gap of runs that are best at their end measures no noise."""

import pytest

from fzmm.analysis.conclusions.findings import findings
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.statistics.cohorts import cohorts
from tests.analysis import synthetic


def rising(steps, top, gap):
    """A curve whose best evaluation is the last but one, ``gap`` above the last."""
    values = [top * step / len(steps) for step in range(1, len(steps) + 1)]
    values[-1] = top - gap
    values[-2] = top
    return list(steps), values, values


def test_gaps_that_are_all_zero_in_repeats_show_nothing(tmp_path):
    steps = range(1000, 9000, 1000)
    for amount, gap in (("coco100", 0.0), ("coco25-1", 0.0002)):
        for trainable in range(6):
            curve = rising(steps, 0.3, gap)
            synthetic.write_run(tmp_path, amount, trainable, evaluations=curve, length=8000)
    again = rising(steps, 0.29, 0.0)
    synthetic.write_run(tmp_path, "coco100", 5, 1, evaluations=again, length=8000)
    (cohort,) = cohorts(read_runs(tmp_path))
    (grows,) = (
        c for f in findings(cohort, []) if f.number == 1 for c in f.claims if c.key == "grows"
    )
    assert grows.estimate.value == pytest.approx(0.0002)
    assert grows.verdict != "holds"
