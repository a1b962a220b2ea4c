"""Write anew what the page of a published study takes from its runs.

    python docs/studies/refresh.py docs/studies/neu-det.md

The page keeps its own words. What stands between ``<!-- made: NAME -->`` and ``<!-- end -->`` is
made here, and the figures and ``runs.csv`` in the page's folder with it:

    recommend MAP          what tools/analyze_logs.py prints with --target-map MAP
    summarise              what it prints
    results N              the means of all scenarios in the study of that number in the report
    shorter N              how short that study could have been
    findings N             what the findings came to; what the thesis found stays as it stands
    figures                all figures that the page does not show above
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from fzmm.analysis.conclusions.findings.claims import OPEN
from fzmm.analysis.report.report_table import Table, markdown
from fzmm.errors import fail
from fzmm.paths import ROOT
from fzmm.utils.files import atomic_write

BLOCK = re.compile(r"<!-- made: ([\w ]+) -->\n(.*?)<!-- end -->\n", re.DOTALL)
MAP_COLUMNS = 6  # of the report's results; times and memory are the page's own subject
FIGURE = re.compile(r"!\[([^]]*)\]\(([^)]*)\)")


def refresh(page: Path) -> None:
    """Write the page, its figures and its table of runs.

    Args:
        page: A file with blocks; the runs are in ``runs`` of the folder of the same name beside it.
    """
    text, folder = page.read_text(), page.with_suffix("")
    runs = (folder / "runs").resolve().relative_to(ROOT)
    with tempfile.TemporaryDirectory() as temporary:
        report = Path(temporary)
        analyze("report", runs, "--out", report)
        studies = json.loads((report / "summary.json").read_text())["cohorts"]
        figures = sorted((report / "figures").glob("*.png"))
        makers = {
            "recommend": lambda target: recommend(runs, target),
            "summarise": lambda _: analyze("summarise", runs),
            "results": lambda number: results(studies[int(number) - 1]),
            "shorter": lambda number: shorter(studies[int(number) - 1]),
            "findings": lambda number: findings(studies[int(number) - 1], text),
            "figures": lambda _: shown(figures, folder, text),
        }

        def made(block: re.Match) -> str:
            name, _, number = block[1].partition(" ")
            if name not in makers:
                fail(f"{page}: no block is called {name!r}; there are {', '.join(makers)}")
            return f"<!-- made: {block[1]} -->\n{makers[name](number)}<!-- end -->\n"

        text = BLOCK.sub(made, text)
        for old in (folder / "figures").glob("*.png"):
            old.unlink()
        for file in figures:
            shutil.copy(file, folder / "figures")
        shutil.copy(report / "runs.csv", folder)
    with atomic_write(page, "w") as file:
        file.write(text)


def analyze(*arguments: object) -> str:
    """Return what a command of tools/analyze_logs.py prints."""
    words = [sys.executable, "tools/analyze_logs.py", *map(str, arguments)]
    return subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def recommend(runs: Path, target: str) -> str:
    """Quote the answer, with how many images it would take to reach a mAP."""
    return f"```\n{analyze('recommend', runs, '--target-map', target)}```\n"


def results(study: dict) -> str:
    """Return the table of the scenarios' mAP."""
    table = next(t for key, t in study["tables"].items() if key.endswith("scenarios"))
    columns, *rows = (row[:MAP_COLUMNS] for row in (table["columns"], *table["rows"]))
    return markdown(Table("scenarios", "", "", columns, rows))


def shorter(study: dict) -> str:
    """Quote how short each data amount could have been."""
    return ">\n".join(
        f"> {one['data_amount']}: {one['sentence']}\n" for one in study["shorter_studies"]
    )


def findings(study: dict, text: str) -> str:
    """Return the table of the claims, without those of which nothing is measured.

    Args:
        study: A cohort of the report's ``summary.json``.
        text: The page, whose tables say what the thesis found.
    """
    told = re.findall(r"^\| (\d) \| ([^|]+) \| ([^|]+) \|", text, re.MULTILINE)
    table = Table("findings", "", "", ["", "claim", "thesis, on COCO", "here", "verdict"])
    for finding in study["findings"]:
        for part in finding["parts"]:
            if part["estimate"] or part["verdict"] != OPEN:
                begins = next(
                    row
                    for row in told
                    if row[0] == str(finding["number"]) and row[1].endswith(part["claim"])
                )
                table.rows.append([*begins, part["effect"], part["verdict"]])
    return markdown(table)


def shown(figures: list[Path], folder: Path, text: str) -> str:
    """Return the images that stand nowhere else, under the names that they have."""
    names = {path: name for name, path in FIGURE.findall(text)}
    above = {path for _, path in FIGURE.findall(BLOCK.sub("", text))}
    paths = [f"{folder.name}/figures/{file.name}" for file in figures]
    lines = [
        f"![{names.get(path, Path(path).stem)}]({path})\n" for path in paths if path not in above
    ]
    return "\n".join(lines)


def main() -> None:
    """Refresh the page that the command names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path, help="the page of a study, beside its folder")
    page = parser.parse_args().page
    if not (page.is_file() and (page.with_suffix("") / "runs").is_dir()):
        parser.error(f"{page}: no page with the runs of a study in {page.with_suffix('')}/runs")
    refresh(page)


if __name__ == "__main__":
    main()
