"""Logs made from the thesis's numbers give these numbers back."""

import pytest

from fzmm.analysis.conclusions.cohort_conclusions import conclude
from fzmm.analysis.conclusions.findings.claims import HOLDS
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.report import result_tables
from fzmm.analysis.report.report_table import Cell, text_of
from fzmm.analysis.statistics import thesis
from fzmm.analysis.statistics.cohorts import cohorts
from fzmm.analysis.statistics.noise import best_map, best_map_noise
from tests.analysis import synthetic


@pytest.fixture(scope="module")
def conclusions(study):
    return conclude(cohorts(read_runs(study)))


@pytest.fixture(scope="module")
def cohort(conclusions):
    return conclusions[0].cohort


def rows(table):
    return {text_of(row[0]): row for row in table.rows}


def same_as_thesis(table):
    """Check that every cell with a number of the thesis shows that number."""
    pairs = [
        (cell.text, cell.thesis)
        for row in table.rows
        for cell in row
        if isinstance(cell, Cell) and cell.thesis
    ]
    assert pairs
    assert [ours for ours, _ in pairs] == [theirs for _, theirs in pairs]
    return len(pairs)


def without_repeats(tmp_path_factory):
    root = synthetic.write_study(
        tmp_path_factory.mktemp("18"), repeats=False, variations=False, scratch=False
    )
    return cohorts(read_runs(root))[0]


def test_table_2(cohort):
    assert same_as_thesis(result_tables.decay_table(cohort)) == 18


def test_gaps_of_5_3_1_and_5_3_3(cohort):
    assert same_as_thesis(result_tables.gap_table(cohort)) == 6


def test_spread_over_scenarios_of_5_3_2(tmp_path_factory):
    # of single runs, as in the thesis: means over repeats move it
    assert same_as_thesis(result_tables.spread_table(without_repeats(tmp_path_factory))) == 3


def test_spread_over_repeats_of_5_1(cohort):
    assert same_as_thesis(result_tables.repeats_table(cohort)) == 6


def test_spread_over_subsets_of_5_2(cohort):
    table = result_tables.variations_table(cohort)
    hours, share = table.rows[-1][1:3]
    # 5.1% of 3.4 h would need runs of 66.7 h, which no other number of the thesis fits
    assert (hours.text, share.text) == ("3.4 h", f"{100 * 3.4 / (60.1 + 1.7):.1f}%")
    table.rows.pop()
    assert same_as_thesis(table) == 4


def test_table_1_images(cohort):
    table = result_tables.amounts_table(cohort)
    for row in table.rows:
        assert row[1].text == row[1].thesis


def test_pretrained_against_scratch_of_5_6(conclusions):
    finding = conclusions[0].findings[4]
    assert finding.verdict == HOLDS
    lower, later = finding.claims
    assert lower.estimate.value == pytest.approx(0.052)  # 37.7 - 32.5
    pretrained, scratch = lower.runs
    assert 100 * best_map(pretrained) == pytest.approx(37.7)
    assert 100 * best_map(scratch) == pytest.approx(32.5)
    assert later.numbers["first"][1] == pytest.approx(0.045)
    assert scratch.curve()[1].argmax() == 66


def test_all_findings_hold(conclusions):
    assert [finding.verdict for finding in conclusions[0].findings] == [HOLDS] * 5


def test_noise_is_the_thesis_spread(cohort):
    noise = best_map_noise(cohort)
    assert noise.measured
    assert noise.largest_range == pytest.approx(thesis.LARGEST_RANGE)
    assert round(100 * noise.relative_range, 1) == thesis.REPEATS["best"][1]


def test_the_benchmark_recommendation(conclusions):
    """On the full set within 0.4 pp: 3 stages, which is what torchvision's benchmark trains."""
    advice = {item.amount.name: item for item in conclusions[0].recommendations}
    assert advice["coco100"].frozen_stages == 1
    assert advice["coco100"].best_map.value == pytest.approx(0.373)
    assert advice["coco100"].cost.time_ratio == pytest.approx(57.5 / 60.1)
