"""The numbers of a published study's page come from the runs that are published with it."""

import re
import shutil
import subprocess
import sys

from fzmm.paths import ROOT

PAGE = ROOT / "docs/studies/neu-det.md"
FOLDER = PAGE.with_suffix("")


def test_the_page_is_what_its_runs_give_today(tmp_path):
    page, folder = tmp_path / PAGE.name, tmp_path / FOLDER.name
    shutil.copy(PAGE, page)
    (folder / "figures").mkdir(parents=True)
    (folder / "runs").symlink_to(FOLDER / "runs")
    # what a block held before does not count, but for the thesis's column of the findings
    emptied = re.sub(
        r"(<!-- made: (?:recommend|summarise|shorter \d) -->\n).*?(<!-- end -->)",
        r"\1\2",
        page.read_text(),
        flags=re.DOTALL,
    )
    page.write_text(emptied)
    assert len(emptied.splitlines()) < len(PAGE.read_text().splitlines()) - 100
    done = subprocess.run(
        [sys.executable, "docs/studies/refresh.py", page], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert page.read_text() == PAGE.read_text()
    assert (folder / "runs.csv").read_text() == (FOLDER / "runs.csv").read_text()
    drawn, shown = ({path.name for path in (one / "figures").iterdir()} for one in (folder, FOLDER))
    assert drawn == shown


def test_the_page_has_every_kind_of_block_and_figure():
    text = PAGE.read_text()
    blocks = re.findall(r"<!-- made: ([\w ]+) -->", text)
    assert sorted(blocks) == [
        *("figures", "findings 1", "findings 2", "recommend", "shorter 1", "shorter 2", "summarise")
    ]
    assert blocks[-1] == "figures" and text.count("<!-- end -->") == len(blocks)
    first = text.split("<!-- made: findings 1 -->")[1].split("<!-- end -->")[0]
    assert len(re.findall(r"^\| [1-5] \|", first, re.MULTILINE)) == 12
    images = re.findall(r"\(neu-det/figures/([^)]*)\)", text)
    assert sorted(images) == sorted(path.name for path in (FOLDER / "figures").iterdir())
