"""Times that say nothing are left out, and the others are drawn and judged."""

import pytest

from fzmm.analysis.conclusions.cohort_conclusions import conclude
from fzmm.analysis.conclusions.findings.training_time import training_time
from fzmm.analysis.figures import time_by_stages
from fzmm.analysis.reading.archive import archive_runs
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.statistics.cohorts import cohorts
from tests.analysis.synthetic import write_run

HOURS = {0: 2.0, 1: 3.0, 2: 4.0}


@pytest.fixture
def conclusions(tmp_path):
    """Two quarters: the first, with more runs, has no times, and of the second one repeat."""

    def kept(name, no_times=None):
        archive_runs([tmp_path / name], tmp_path / "kept", [], no_times=no_times)

    for k, hours in HOURS.items():
        for seed in range(3):
            write_run(tmp_path / "busy", "coco25-1", k, seed, hours=hours)
        write_run(tmp_path / "idle", "coco25-2", k, hours=hours)
    write_run(tmp_path / "busy", "coco25-2", 1, seed=1, hours=9.0)
    kept("busy", "other programs ran beside them")
    kept("idle")
    (one,) = conclude(cohorts(read_runs(tmp_path / "kept")))
    return one


def test_the_data_amount_with_times_is_drawn(conclusions):
    (axis,) = time_by_stages.draw(conclusions).axes
    drawn = next(line for line in axis.lines if len(line.get_xdata()) == len(HOURS))
    assert list(drawn.get_ydata()) == pytest.approx(list(HOURS.values()), rel=0.01)


def test_a_repeat_without_times_hides_no_step(conclusions):
    rises = training_time(conclusions.cohort).claims[0]
    assert {step: round(one.value, 2) for step, one in rises.numbers["steps"].items()} == {
        (0, 1): 0.5,
        (1, 2): 0.33,
    }
