"""The same sentences on the page, in the terminal and as JSON."""

import html
import json
import re

import pytest

from fzmm.analysis.conclusions.findings.claims import Claim
from fzmm.analysis.report.recommendation_text import recommendation_text
from fzmm.analysis.report.words import words
from fzmm.analysis.report.write_report import write_report
from fzmm.analysis.statistics.estimates import Estimate
from tests.analysis import synthetic


def study(root, seeds, scenarios=(1, 3, 5), dataset="coco"):
    for k in scenarios:
        for seed in range(seeds):
            synthetic.write_run(root, "coco50", k, seed, dataset=dataset, shift=0.1 * seed)
    return root


def read(root, out):
    """Return the text of page and terminal, and the recommendation of both JSON outputs."""
    page = write_report(root, out)
    raw = page.read_text()
    shown = " ".join(html.unescape(re.sub("<[^>]*>", "", raw)).split())
    (one,) = json.loads((out / "summary.json").read_text())["cohorts"][0]["recommendations"]
    (two,) = json.loads(recommendation_text(root, as_json=True))["cohorts"][0]["recommendations"]
    assert one == two
    return raw, shown, recommendation_text(root), one


def test_three_seeds_give_an_answer_that_says_how_sure_it_is(tmp_path):
    raw, shown, terminal, item = read(study(tmp_path / "runs", 3), tmp_path / "out")
    sentence = item["sentence"]
    assert re.match(
        r"Freeze the stem and stage 1: (shown, )?\d+% sure to lose less than 0\.4 pp, at most "
        r"0\.\d pp\. Saves \d+% of the time\.",
        sentence,
    )
    assert item["status"] in ("shown", "likely")
    assert f"coco50: {sentence}" in terminal
    sure = sentence.split(": ", 1)[1].split(". ")[0]
    assert sure in shown and '<p class="big">Freeze the stem and stage 1</p>' in raw


@pytest.mark.parametrize("dataset", ["coco", "own"])
def test_one_seed_is_no_more_than_a_pointer(tmp_path, dataset):
    root = study(tmp_path / "runs", 1, dataset=dataset)
    raw, shown, terminal, item = read(root, tmp_path / "out")
    assert item["status"] in ("provisional", "undecided")
    assert "pointer" in item["sentence"] or "single runs point there" in item["sentence"]
    assert '<p class="big">' not in raw and '<p class="pointer">' in raw
    assert "3 scenarios have one seed; 3 runs would give a second" in shown
    assert item["sentence"] in terminal


def test_stages_that_are_no_resnets_are_counted_and_not_named(tmp_path):
    root = synthetic.as_mobilenet(study(tmp_path / "runs", 3, (0, 3, 5)), {0: 0, 3: 4, 5: 8})
    raw, shown, terminal, item = read(root, tmp_path / "out")
    words = "Set frozen_stages=3 (4 of 8 stages stay trainable)"
    assert item["sentence"].startswith(f"{words}: ") and "stem" not in item["sentence"]
    assert f'<p class="big">{words}</p>' in raw and item["sentence"] in terminal
    assert "4 of 8 stages trainable" in shown and re.search(r"3 \(frozen3\) +4 of 8", terminal)
    assert (item["frozen_stages"], item["trainable_stages"], item["stages"]) == (3, 4, 8)


def test_what_is_undecided_has_the_backbones_own_numbers(tmp_path):
    for k in (0, 3, 5):
        for seed in range(2):
            shift = 0.3 * (seed + k) % 0.9
            synthetic.write_run(tmp_path / "runs", "coco50", k, seed, shift=shift)
    assert "Undecided: freezing nothing; " in sentence(tmp_path / "runs")
    counted = sentence(synthetic.as_mobilenet(tmp_path / "runs", {0: 4, 3: 6, 5: 7}))
    assert counted.startswith("Set frozen_stages=1 (6 of 8 ") and "frozen_stages=0; " in counted


def sentence(root):
    (cohort,) = json.loads(recommendation_text(root, as_json=True))["cohorts"]
    return cohort["recommendations"][0]["sentence"]


def test_how_short_the_study_could_have_been_is_on_the_page_and_in_json(tmp_path):
    page = write_report(study(tmp_path / "runs", 2), tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    (shorter,) = summary["cohorts"][0]["shorter_studies"]
    text = " ".join(html.unescape(re.sub("<[^>]*>", "", page.read_text())).split())
    assert shorter["sentence"] in text and "learning rate would have decayed" in text
    assert [part["share"] for part in shorter["parts_of_the_schedule"]] == [0.5, 0.25]
    assert shorter["one_seed"]["ways"] == 8
    assert 0 < shorter["answer_stands_from"] <= shorter["last_evaluation"] == synthetic.LENGTH


def test_a_finding_has_numbers_beside_its_words(tmp_path):
    write_report(study(tmp_path / "runs", 3, range(6)), tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    findings = summary["cohorts"][0]["findings"]
    assert [item["number"] for item in findings] == [1, 2, 3, 4, 5]
    rises = findings[2]["parts"][0]
    assert rises["estimate"]["low"] < rises["estimate"]["value"] < rises["estimate"]["high"]
    assert rises["estimate"]["n"] and "0→1: +" in rises["effect"] and rises["verdict"]


def test_slopes_and_iterations_have_their_interval_and_no_rounding_left():
    slope, later = Estimate(-2e-4, -3e-4, -1e-4, 3), Estimate(2500.0, 1000.0, 4000.0, 3)
    nothing = Estimate(4e-16, n=3)
    claim = Claim("second_slows", estimate=slope, numbers={"before": slope, "after": nothing})
    effect = words("finding_words").effect
    assert effect(claim) == (
        "−0.02 pp per 1,000 iterations before the second decay, +0 pp after; the difference: "
        "−0.02 pp (95% −0.030 to −0.010)"
    )
    claim = Claim("later", estimate=later, numbers={"best_at": [500, 3000], "first": [0.2, 0.1]})
    assert "3,000 from scratch: 2,500 later (95% 1,000 to 4,000)" in effect(claim)


def test_every_finding_has_words():
    finding_words = words("finding_words")
    assert set(finding_words.CLAIMS) == set(finding_words.NEEDS)
    assert set(finding_words.STATEMENTS) == {1, 2, 3, 4, 5}


def mixed_study(root, on_cpu):
    """Three seeds of three scenarios, those that ``on_cpu`` names nine times slower."""
    for k in (1, 3, 5):
        for seed in range(3):
            slow = on_cpu(k, seed)
            devices = {"devices": ("Some CPU",), "hours": 9 * synthetic.HOURS[k]} if slow else {}
            synthetic.write_run(root, "coco50", k, seed, shift=0.1 * seed, **devices)
    return root


def test_savings_name_their_device_where_runs_come_from_several(tmp_path):
    root = mixed_study(tmp_path / "runs", lambda k, seed: seed == 2)
    _, shown, terminal, item = read(root, tmp_path / "out")
    assert "Saves 4% of the time on 4 × NVIDIA T4." in item["sentence"]
    assert item["time_compared_on"] == "4 × NVIDIA T4"
    assert "4% less training time on 4 × NVIDIA T4" in shown
    assert "The runs come from different devices." in shown
    assert "times and memory compare only on equal devices: coco50 4 × NVIDIA T4" in terminal
    table = json.loads((tmp_path / "out" / "summary.json").read_text())["cohorts"][0]["tables"]
    rows = table["times-by-device"]["rows"]
    assert [row[0] for row in rows] == ["4 × NVIDIA T4"] * 3 + ["4 × Some CPU"] * 3
    assert [row[5] for row in rows] == ["84%", "96%", "100%"] * 2
    # Spread over repeats is that on one device too, not the nine times between the two.
    spread = {row[0]: row[1:] for row in table["spread-repeats"]["rows"]}
    assert spread["training time"][1] == "0.0%"


def test_scenarios_on_different_devices_save_an_unknown_time(tmp_path):
    root = mixed_study(tmp_path / "runs", lambda k, seed: k == 5)
    _, shown, _, item = read(root, tmp_path / "out")
    assert "Time saved is unknown: it and the unfrozen scenario were trained on" in item["sentence"]
    assert item["training_time_vs_unfrozen"] is None and item["memory_vs_unfrozen"] is None
    assert "less training time" not in shown and "less memory" not in shown
    assert "23% less trainable parameters" in shown and "; time saved is unknown: it and" in shown


def test_one_device_is_named_once(tmp_path):
    _, shown, terminal, item = read(study(tmp_path / "runs", 2), tmp_path / "out")
    assert "All times were measured on 4 × NVIDIA T4." in shown
    assert "NVIDIA" not in item["sentence"] + terminal
