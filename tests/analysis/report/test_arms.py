"""Scenarios beside the freezing ones: in the answer, the tables, the figures and the data."""

import csv
import json
import shutil

from fzmm.analysis.conclusions.recommendation import recommend
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.report.recommendation_text import recommendation_text
from fzmm.analysis.report.write_report import write_report
from fzmm.analysis.statistics.cohorts import cohorts
from tests.analysis import synthetic

DOES = "training the backbone at 0.1 of the learning rate"


def write_arm(root, name, does, shift, seed=0, hours=60.1):
    """Write a run of an arm: an unfrozen one of another mAP, as its config and record name it."""
    folder = synthetic.write_run(
        root, "coco50", 5, seed, shift=shift, hours=hours, name=f"coco50_{name}"
    )
    record = json.loads((folder / "provenance.json").read_text())
    record["study"] |= dict(arm=name, arm_does=does)
    (folder / "provenance.json").write_text(json.dumps(record))
    for config in folder.rglob("*.py"):
        text = config.read_text()
        config.write_text(text.replace("study = dict(", f"study = dict(arm={name!r}, ", 1))


def study(root, shift, does=DOES, seeds=2, **options):
    for seed in range(seeds):
        for k in (2, 3, 5):
            synthetic.write_run(root, "coco50", k, seed, shift=0.05 * seed)
        write_arm(root, "lr01", does, shift + 0.05 * seed, seed, **options)
    return root


def test_an_arm_that_does_as_well_is_said_to_and_not_taken_for_the_unfrozen_run(tmp_path):
    root = study(tmp_path / "runs", shift=0.1)
    (cohort,) = cohorts(read_runs(root))
    (item,) = recommend(cohort)
    assert cohort.arms == {6: "lr01"} and item.trainable == 3 and len(item.unfrozen_runs) == 2
    assert item.arms[6].runs[0].trainable is None and item.compared == (2, 3, 5, 6)
    sentence = f"coco50, lr01: {DOES} does as well as freezing the stem and stage 1"
    text = recommendation_text(root)
    assert sentence in text and "and saves nothing." in text


def test_an_arm_that_is_better_than_all_freezing_is_recommended(tmp_path):
    root = study(tmp_path / "runs", shift=2.0, does="training <b>otherwise</b>", hours=48.08)
    page = write_report(root, tmp_path / "out").read_text()
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    (item,) = summary["cohorts"][0]["recommendations"]
    assert item["scenario"] == "lr01" and item["trainable_stages"] is None
    assert item["sentence"].startswith("Take lr01, training <b>otherwise</b>: ")
    assert item["scenarios_compared"] == [2, 1, -1, "lr01"]
    (arm,) = item["arms"]
    assert 0.02 < arm["gain"]["value"] < 0.025 and arm["against_frozen_stages"] == 1
    assert "gains 2." in arm["sentence"] and "saves 20% of the time" in arm["sentence"]
    assert "training &lt;b&gt;otherwise" in page and "<b>otherwise" not in page

    rows = list(csv.DictReader((tmp_path / "out/runs.csv").open()))
    assert [row["arm"] for row in rows].count("lr01") == 2
    for name in ("best-last-map", "training-time", "trade-off", "map-curves", "repeats"):
        assert (tmp_path / f"out/figures/{name}.svg").exists()
    assert summary["cohorts"][0]["label"].startswith("coco")
    assert len(summary["cohorts"]) == 1


def test_one_seed_of_an_arm_is_called_a_pointer_and_its_noise_no_equality(tmp_path):
    root = study(tmp_path / "runs", shift=0.1)
    shutil.rmtree(root / "coco50_lr01" / "seed1")
    text = recommendation_text(root)
    assert "saves nothing; one seed is no more than a pointer." in text

    noisy = study(tmp_path / "noisy", shift=0.1, seeds=1)
    synthetic.write_run(noisy, "coco50", 3, 1, shift=0.9)
    text = recommendation_text(noisy)
    assert "is not told apart from freezing" in text and "one seed is no more" in text
    assert "does as well" not in text


def test_of_several_arms_the_highest_is_recommended(tmp_path):
    root = study(tmp_path / "runs", shift=2.2)
    for seed in range(2):
        write_arm(root, "decay075", "lowering the rate", 2.0 + 0.05 * seed, seed)
    (item,) = recommend(cohorts(read_runs(root))[0])
    assert item.arm.name == "lr01" and item.safe_choice == item.trainable
    assert not item.next_runs
