"""The same sentences on the page, in the terminal and as JSON."""

import html
import json
import re

import pytest

from fzmm.analysis.report.recommendation_text import recommendation_text
from fzmm.analysis.report.words import words
from fzmm.analysis.report.write_report import write_report
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


def test_a_finding_has_numbers_beside_its_words(tmp_path):
    write_report(study(tmp_path / "runs", 3, range(6)), tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    findings = summary["cohorts"][0]["findings"]
    assert [item["number"] for item in findings] == [1, 2, 3, 4, 5]
    rises = findings[2]["parts"][0]
    assert rises["estimate"]["low"] < rises["estimate"]["value"] < rises["estimate"]["high"]
    assert rises["estimate"]["n"] and "0→1: +" in rises["effect"] and rises["verdict"]


def test_every_finding_has_words():
    finding_words = words("finding_words")
    assert set(finding_words.CLAIMS) == set(finding_words.NEEDS)
    assert set(finding_words.STATEMENTS) == {1, 2, 3, 4, 5}
