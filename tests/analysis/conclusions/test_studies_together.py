"""What one study says of another of the same detector on the same data."""

import json

import pytest

from fzmm.analysis.conclusions.cohort_conclusions import conclude
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.report.recommendation_text import recommendation_text
from fzmm.analysis.statistics.cohorts import cohorts
from tests.analysis import synthetic


def rising(length, best):
    """A curve that still rises when it ends at its best."""
    steps = [length * (i + 1) // 10 for i in range(10)]
    values = [best * (i + 5) / 14 for i in range(10)]
    return steps, values, values


def study(root, dataset, length, best, seeds=2, **options):
    """Write the seeds of three scenarios with the given best mAP."""
    for k, value in best.items():
        for seed in range(seeds):
            synthetic.write_run(
                root / dataset,
                "coco50",
                k,
                seed,
                dataset=dataset,
                evaluations=rising(length, value + 0.002 * seed),
                length=length,
                milestones=(),
                interval=length // 20,
                **options,
            )


def answers(root):
    found = json.loads(recommendation_text(root, as_json=True))["cohorts"]
    return {c["label"].split()[0]: c["recommendations"][0] for c in found if c["recommendations"]}


def test_a_schedule_too_short_says_what_a_longer_study_of_the_same_images_gave(tmp_path):
    study(tmp_path, "steel", 1000, {0: 0.29, 3: 0.30, 5: 0.28})
    assert "would show more" in answers(tmp_path)["steel"]["sentence"]

    study(tmp_path, "steel_long", 2000, {0: 0.29, 3: 0.33, 5: 0.36})
    found = answers(tmp_path)
    assert (
        "2,000 iterations (coco50) changed the highest by +6.0 pp (95% "
        in found["steel"]["sentence"]
    )
    assert found["steel"]["sentence"].endswith("), and say: freeze nothing, provisional.")
    longer = found["steel"]["schedule"]["longer"]
    assert (longer["iterations"], longer["frozen_stages"]) == (2000, -1)
    assert longer["gain"]["low"] < longer["gain"]["value"] == pytest.approx(0.06)
    assert found["steel_long"]["schedule"]["longer"] is None
    assert "iterations would show more" in found["steel_long"]["sentence"]


def test_of_a_longer_study_of_single_runs_it_says_that_they_do_not_decide(tmp_path):
    study(tmp_path, "steel", 1000, {0: 0.29, 3: 0.30, 5: 0.28})
    study(tmp_path, "steel_long", 2000, {0: 0.29, 5: 0.36}, seeds=1)
    assert answers(tmp_path)["steel"]["sentence"].endswith("), and say: freeze nothing, undecided.")


def test_a_longer_study_of_other_images_or_from_scratch_is_none_of_the_same(tmp_path):
    study(tmp_path, "steel", 1000, {0: 0.29, 3: 0.30, 5: 0.28})
    study(tmp_path, "cells", 2000, {0: 0.29, 3: 0.33, 5: 0.36}, sha256="a" * 64)
    study(tmp_path, "steel_scratch", 3000, {5: 0.26}, pretrained=False)
    assert answers(tmp_path)["steel"]["schedule"]["longer"] is None


def test_from_scratch_in_a_study_of_its_own_is_held_against_the_same_data_and_schedule(tmp_path):
    study(tmp_path, "steel", 1000, {0: 0.29, 5: 0.28})
    study(tmp_path, "steel_long", 2000, {0: 0.29, 5: 0.36})
    study(tmp_path, "steel_scratch", 1000, {5: 0.20}, pretrained=False)
    lower, _ = conclude(cohorts(read_runs(tmp_path)))[0].findings[4].claims
    assert lower.estimate.value == pytest.approx(0.08)  # 28 - 20 and not 36 - 20
    assert len(lower.runs) == 4 and {run.max_iterations for run in lower.runs} == {1000}
