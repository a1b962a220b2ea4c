"""The numbers of a published study's page come from the runs that are published with it."""

import pytest

from fzmm.paths import ROOT
from tests.tools.test_analyze_logs import run

PAGE = ROOT / "docs/studies/neu-det.md"
RUNS = "docs/studies/neu-det/runs"


@pytest.mark.parametrize("command", ["summarise", "recommend"])
def test_the_page_shows_what_the_command_prints(command):
    done = run(command, RUNS, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    page = PAGE.read_text()
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    assert lines and [line for line in lines if line not in page] == []


def test_the_report_can_be_made_again(tmp_path):
    done = run("report", RUNS, "--out", tmp_path / "report", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "report/figures").iterdir()}
    assert {"best-last-map.png", "map-curves.png"} <= names
