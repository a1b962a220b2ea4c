"""A study that tries several learning rates: each scenario at its own, and whether it matters."""

import csv
import html
import json
import re

import pytest

from fzmm.analysis.conclusions.cohort_conclusions import conclude
from fzmm.analysis.conclusions.missing_runs import scenarios_to_run
from fzmm.analysis.conclusions.next_runs import next_runs
from fzmm.analysis.conclusions.recommendation import recommend
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.report.rates.rate_table import rates_table
from fzmm.analysis.report.recommendation_text import recommendation_text
from fzmm.analysis.report.report_table import text_of
from fzmm.analysis.report.write_report import write_report
from fzmm.analysis.statistics.cohorts import cohorts
from fzmm.analysis.statistics.learning_rates import beyond
from tests.analysis import synthetic
from tests.analysis.rated import write_rated

RATES = (0.005, 0.01, 0.02)
# What a rate takes from the best mAP, in points: 3 trainable stages want the largest tried, the
# unfrozen scenario the middle one. All at 0.005: 29.8 and 31.0; at 0.01: 30.8 and 32.0.
LOST = {3: (2.0, 1.0, 0.0), 5: (1.0, 0.0, 3.0)}


def search(root, trainable, lost=LOST, **options):
    for rate, loss in zip(RATES, lost[trainable], strict=True):
        write_rated(root, trainable, rate, share=0.25, shift=-loss - 5, **options)


def searched(root, lost=LOST, seeds=2):
    """Write a study whose rates were looked for, with whole runs at the best alone."""
    for k in lost:
        search(root, k, lost)
        best = RATES[lost[k].index(0.0)]
        for seed in range(seeds):
            write_rated(root, k, best, seed, shift=0.05 * seed)
    return root


def the_cohort(root):
    (cohort,) = cohorts(read_runs(root))
    return cohort


def the_table(cohort):
    (conclusions,) = conclude([cohort])
    return rates_table(conclusions)


def rates_taken(cohort):
    return {k: cohort.rate_choice(cohort.amounts[0], k).rate for k in cohort.compared}


@pytest.mark.parametrize(
    ("rate", "tried", "following"),
    [
        (0.02, RATES, 0.04),
        (0.005, RATES, 0.0025),
        (0.01, RATES, None),
        (40, (0.01, 40), 400),
        (0.01, (0.01, 40), 0.001),
        (0.01, (0.01,), None),
    ],
)
def test_a_rate_at_the_edge_has_one_to_try_beyond_it(rate, tried, following):
    assert beyond(rate, tried) == following


def test_each_scenario_is_compared_at_its_own_rate_by_other_runs_than_chose_it(tmp_path):
    root = searched(tmp_path / "runs")
    cohort = the_cohort(root)
    assert rates_taken(cohort) == {3: 0.02, 5: 0.01}
    assert len(cohort.runs) == 4 and all(run.rate_search is None for run in cohort.runs)
    assert len(cohort.others) == 6
    (item,) = recommend(cohort)
    assert item.trainable == 3 and [item.ranking.runs[k] for k in (3, 5)] == [2, 2]
    assert item.noise.freedom == 2  # the shortened runs are no repeats
    assert item.rates.choices[3].edge == "largest" and item.rates.choices[3].beyond == 0.04
    assert {run.seed for run in next_runs(cohort)} <= {2}
    missing = scenarios_to_run(cohort)
    assert len(missing) == 4 and all(re.search(r"_rate00[12]\.py", line) for line in missing)


def test_the_report_says_what_one_common_rate_would_have_given(tmp_path):
    root = searched(tmp_path / "runs")
    page = html.unescape(re.sub("<[^>]*>", "", write_report(root, tmp_path / "out").read_text()))
    page = " ".join(page.split())
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert len(summary["cohorts"]) == 1 and not summary["notes"]
    (item,) = summary["cohorts"][0]["recommendations"]
    rates = item["learning_rates"]
    assert rates["tried"] == list(RATES) and rates["chosen_on_share_of_schedule"] == 0.25
    assert rates["compared_by_other_runs"] and len(rates["chosen_by"]) == 6
    answers = {one["rate"]: one["recommended"] for one in rates["at_one_common_rate"]}
    # at 0.01 freezing loses 1.0 to its own rate, 1.2 to the unfrozen scenario
    assert answers == {0.005: -1, 0.01: -1, 0.02: 1}
    sentences = [
        "Each scenario is compared at its own best learning rate (frozen1 0.02, unfrozen 0.01), "
        "chosen by runs of 25% of the schedule, which are not compared.",
        "At one common learning rate the answer would be another: freezing nothing at 0.005 and "
        "0.01; the same at 0.02. What a scenario loses at another rate than "
        "its own is known from the shortened runs that chose: a pointer.",
        "The best rate of frozen1 is the largest tried: try 0.04.",
    ]
    assert rates["sentence"] == " ".join(sentences)
    assert f"coco50, learning rates: {rates['sentence']}" in recommendation_text(root)
    for sentence in sentences:
        assert sentence in page

    table = summary["cohorts"][0]["tables"]["learning-rates"]
    assert table["columns"][2:6] == ["0.005", "0.01", "0.02", "taken"]
    frozen, unfrozen = table["rows"]
    assert frozen[2:6] == [*("24.8", "25.8", "26.8 (taken)", "0.02 (the largest tried: try 0.04)")]
    assert unfrozen[2:6] == ["26.0", "27.0 (taken)", "24.0", "0.01"]
    assert "each scenario at its own learning rate" in page

    rows = list(csv.DictReader((tmp_path / "out/runs.csv").open()))
    assert [row["rate_search"] for row in rows].count("0.25") == 6 and len(rows) == 10


def test_where_every_rate_has_whole_runs_one_seed_chooses_and_the_others_are_compared(tmp_path):
    for k, losses in LOST.items():
        for rate, loss in zip(RATES, losses, strict=True):
            for seed in range(3):
                write_rated(tmp_path, k, rate, seed, shift=0.05 * seed - loss)
    cohort = the_cohort(tmp_path)
    assert rates_taken(cohort) == {3: 0.02, 5: 0.01}
    assert sorted(run.seed for run in cohort.runs) == [1, 1, 2, 2] and len(cohort.others) == 14
    (item,) = recommend(cohort)
    assert item.noise.freedom == 12  # of the seeds at every rate
    assert item.rates.measured and not item.rates.compared_as_chosen
    assert [one.same for one in item.rates.common] == [False, False, True]
    assert all(run.seed == 3 for run in next_runs(cohort))
    text = recommendation_text(tmp_path)
    assert "chosen by one whole run at each rate, which is not compared." in text
    assert "a pointer." not in text.partition("At one common")[2].partition("try")[0]


def test_the_run_that_chose_is_compared_only_where_there_is_no_other(tmp_path):
    for k, losses in LOST.items():
        for rate, loss in zip(RATES, losses, strict=True):
            write_rated(tmp_path, k, rate, shift=-loss)
    (item,) = recommend(the_cohort(tmp_path))
    assert item.rates.compared_as_chosen == ["frozen1", "unfrozen"]
    text = recommendation_text(tmp_path)
    assert "For frozen1 and unfrozen that run is also the one that is compared" in text


def test_a_rate_that_diverged_is_out(tmp_path):
    searched(tmp_path, {5: LOST[5]})
    write_rated(tmp_path, 3, 0.005, share=0.25, shift=-7)
    write_rated(tmp_path, 3, 0.01, share=0.25, shift=-6)
    write_rated(tmp_path, 3, 0.02, share=0.25, diverged=True)
    for seed in range(2):
        write_rated(tmp_path, 3, 0.01, seed, shift=0.05 * seed - 1)
    cohort = the_cohort(tmp_path)
    assert rates_taken(cohort) == {3: 0.01, 5: 0.01}
    (item,) = recommend(cohort)
    assert item.rates.choices[3].edge is None and item.rates.choices[3].diverges(0.02)
    assert {one.rate: one.same for one in item.rates.common} == {
        0.005: True,
        0.01: True,
        0.02: True,  # where frozen1 diverges the unfrozen scenario is left, the answer anyway
    }
    assert text_of(the_table(cohort).rows[0][4]) == "diverged"


def test_a_rate_that_diverges_before_it_is_evaluated_is_of_the_same_study(tmp_path):
    searched(tmp_path)
    folder = write_rated(tmp_path, 5, 0.01, 2, diverged=True)
    for log in folder.rglob("*.json"):
        if "vis_data" in str(log):
            lines = log.read_text().splitlines()
            log.write_text("\n".join(line for line in lines if "mAP" not in line) + "\n")
    cohort = the_cohort(tmp_path)
    choice = cohort.rate_choice(cohort.amounts[0], 5)
    assert choice.diverges(0.01) and choice.rate == 0.01  # no other rate has a whole run
    assert choice.better == 0.005
    assert "unfrozen was better at 0.005" in recommendation_text(tmp_path)


def test_before_the_first_whole_run_the_shortened_ones_are_a_study(tmp_path):
    for k in LOST:
        search(tmp_path, k)
    cohort = the_cohort(tmp_path)
    assert rates_taken(cohort) == {3: 0.02, 5: 0.01} and len(cohort.runs) == 2
    assert "that run is also the one that is compared" in recommendation_text(tmp_path)


def test_subsets_of_one_size_keep_one_rate(tmp_path):
    for k, losses in LOST.items():
        search(tmp_path, k, amount="coco25-1")
        for amount in ("coco25-1", "coco25-2"):
            write_rated(tmp_path, k, RATES[losses.index(0.0)], amount=amount)
    cohort = the_cohort(tmp_path)
    assert [choice.rate for choice in cohort.rate_choices.values()] == [0.02, 0.02, 0.01, 0.01]
    assert all(choice.trials for choice in cohort.rate_choices.values())


def test_what_noise_does_not_tell_apart_is_marked(tmp_path):
    root = searched(tmp_path / "runs", {3: (2.0, 0.02, 0.0), 5: (1.0, 0.0, 3.0)})
    row = the_table(the_cohort(root)).rows[0]
    assert [*map(text_of, row[2:4])] == ["24.8", "26.8 (not told apart)"]


@pytest.mark.parametrize("rate", [None, 0.01])
def test_a_study_of_one_rate_says_nothing_of_rates(tmp_path, rate):
    for k in (3, 5):
        for seed in range(2):
            if rate:
                write_rated(tmp_path, k, rate, seed)
            else:
                synthetic.write_run(tmp_path, "coco50", k, seed, dataset="cells")
    (summary,) = json.loads(recommendation_text(tmp_path, as_json=True))["cohorts"]
    assert summary["recommendations"][0]["learning_rates"] is None
    assert "SGD at 0.01" in summary["label"] and the_table(the_cohort(tmp_path)) is None
    assert "learning rate" not in recommendation_text(tmp_path)
