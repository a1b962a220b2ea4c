"""The numbers of a published study's page come from the runs that are published with it."""

import json
import re

from fzmm.paths import ROOT
from tests.tools.test_analyze_logs import run

PAGE = ROOT / "docs/studies/neu-det.md"
RUNS = "docs/studies/neu-det/runs"


def test_the_page_has_the_table_of_the_runs():
    done = run("summarise", RUNS, cwd=ROOT)
    rows = done.stdout.splitlines()
    assert len(rows) > 12
    assert [row for row in rows if row not in PAGE.read_text()] == []


def test_the_page_has_the_numbers_of_the_recommendation():
    done = run("recommend", RUNS, cwd=ROOT)
    page = PAGE.read_text()
    numbers = set(re.findall(r"\d[\d.,]*\d|\d", done.stdout))
    assert len(numbers) > 20
    assert {number for number in numbers if number not in page} == set()


def test_the_report_can_be_made_again(tmp_path):
    done = run("report", RUNS, "--out", tmp_path / "report", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "report/figures").glob("*.png")}
    shown = {path.name for path in (PAGE.parent / "neu-det/figures").iterdir()}
    assert names == shown | {"2-best-last-map.png", "2-map-curves.png"}  # lie in docs/images
    table = (PAGE.parent / "neu-det/runs.csv").read_text()
    assert (tmp_path / "report/runs.csv").read_text() == table

    page = PAGE.read_text()
    studies = json.loads((tmp_path / "report/summary.json").read_text())["cohorts"]
    main, *further = [
        [part for finding in study["findings"] for part in finding["parts"]] for study in studies
    ]
    assert len(main) == 12
    decided = [p for parts in further for p in parts if p["verdict"] != "not enough runs"]
    assert decided
    assert [p for p in main + decided if f"| {p['effect']} | {p['verdict']} |" not in page] == []
    shorter = [one["sentence"] for study in studies for one in study["shorter_studies"]]
    assert len(shorter) > 1 and [sentence for sentence in shorter if sentence not in page] == []
