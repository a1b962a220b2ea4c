"""The numbers of a published study's page come from the runs that are published with it."""

import re
import runpy
import shutil
import subprocess
import sys

from fzmm.paths import ROOT

README = ROOT / "README.md"
RATES = ROOT / "docs/freeze-or-lower-the-rate.md"
PAGE = ROOT / "docs/studies/neu-det.md"
FOLDER = PAGE.with_suffix("")
BLOCK = runpy.run_path(str(ROOT / "docs/studies/refresh.py"))["BLOCK"]


def test_the_page_is_what_its_runs_give_today(tmp_path):
    page, folder = tmp_path / PAGE.name, tmp_path / FOLDER.name
    shutil.copy(PAGE, page)
    (folder / "figures").mkdir(parents=True)
    (folder / "runs").symlink_to(FOLDER / "runs")
    # what a block held before does not count, but for the thesis's column and the figures' names
    kept = ("findings", "figures")
    emptied = BLOCK.sub(
        lambda block: block[0] if block[1].startswith(kept) else block[0].replace(block[2], ""),
        page.read_text(),
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
    blocks = dict(BLOCK.findall(text))
    twice = [f"{name} {number}" for name in ("results", "shorter", "findings") for number in (1, 2)]
    others = ["recommend 38", "summarise", "results 3", "figures"]
    assert sorted(blocks) == sorted([*twice, *others])
    assert text.count("<!-- end -->") == len(blocks)
    assert len(re.findall(r"^\| [1-5] \|", blocks["findings 1"], re.MULTILINE)) == 12
    images = re.findall(r"\(neu-det/figures/([^)]*)\)", text)
    assert sorted(images) == sorted(path.name for path in (FOLDER / "figures").iterdir())


def test_the_sentences_say_what_the_tables_say():
    text = PAGE.read_text()
    made = "\n".join(body for _, body in BLOCK.findall(text)).replace("\u2212", "-")
    numbers = set(re.findall(r"-?\d+\.\d\b", made))
    own = BLOCK.sub("", text)
    parts = [
        own.split("| | |")[0],
        own.split("## Freeze, or lower the rate?")[1].split("## Learning rate")[0],
        README.read_text().split("photographs of [steel")[1].split("On COCO")[0],
        RATES.read_text().split("## Measured")[1],
    ]
    for part in parts:
        said = re.findall(r"-?\b\d+\.\d\b", part)
        assert len(said) > 5 and [number for number in said if number not in numbers] == []
        intervals = re.findall(r"(?:\(|95% |, )(-?\d+\.\d to -?\d+\.\d)", part)
        assert [interval for interval in intervals if interval not in made] == []
