"""The report: one page that answers first and shows its grounds after, and the data behind it."""

from __future__ import annotations

import csv
import io
from html import escape
from pathlib import Path

from fzmm.analysis.conclusions import missing_runs
from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions, conclude
from fzmm.analysis.conclusions.findings import FAILS, HOLDS
from fzmm.analysis.figures import FIGURES
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.reading.run import Run
from fzmm.analysis.report import result_tables, text
from fzmm.analysis.report.answer import answer_html
from fzmm.analysis.report.page import Links, document, heading, image, table_html
from fzmm.analysis.report.run_table import csv_rows, runs_html
from fzmm.analysis.report.summary_json import summarise_cohort, summarise_run, to_json
from fzmm.analysis.statistics.cohorts import Cohort, cohorts
from fzmm.errors import UserError
from fzmm.files import atomic_write
from fzmm.scenarios import UNFROZEN


def write_report(
    paths: list[str | Path] | str | Path, out_dir: str | Path, tolerance: float | None = None
) -> Path:
    """Write ``index.html``, ``runs.csv``, ``summary.json`` and ``figures/`` about some runs.

    Args:
        paths: Work directories, folders of them, or logs.
        out_dir: Folder to write into; made if missing.
        tolerance: In mAP, see ``fzmm.analysis.conclusions.recommendation.recommend``.

    Returns:
        The path of ``index.html``.

    Raises:
        UserError: If there is no run to report or the folder cannot be written.
    """
    notes: list[str] = []
    runs = read_runs(paths, notes)
    groups = cohorts(runs)
    set_ups = _in_order(groups)
    runs = [run for set_up in set_ups for run in set_up]
    links = Links(set_ups)
    out_dir = Path(out_dir)
    try:
        (out_dir / "figures").mkdir(parents=True, exist_ok=True)
        parts, summaries = [], []
        shown = _worth_a_section(conclude(groups, tolerance))
        for index, conclusions in enumerate(shown):
            part, summary = _cohort(conclusions, index, out_dir, links)
            parts.append(part)
            summaries.append(summary)
        body = (
            _header(runs, groups, shown, links)
            + "".join(parts)
            + runs_html(links)
            + _notes(notes, runs)
        )
        title = f"What to freeze: {groups[0].first.dataset or 'report'}"
        _write(out_dir / "runs.csv", _csv(runs))
        summary = {
            "schema": 1,
            "cohorts": summaries,
            "runs": [summarise_run(run) for run in runs],
            "notes": notes,
        }
        _write(out_dir / "summary.json", to_json(summary))
        page = out_dir / "index.html"
        _write(page, document(title, body).encode("utf-8", "replace"))
    except OSError as error:
        raise UserError(f"{out_dir}: cannot be written ({error.strerror})") from error
    return page


def _in_order(groups: list[Cohort]) -> list[list[Run]]:
    """Put the runs in the order of the tables, repeats together."""
    ordered: list[list[Run]] = []
    for cohort in groups:
        cells = [
            cohort.cell(amount, k, finished=False)
            for amount in cohort.amounts
            for k in range(UNFROZEN + 1)
        ]
        placed = {id(run) for cell in cells for run in cell}
        cells += [[run] for run in cohort.runs if id(run) not in placed]
        for cell in cells:
            if cell:
                by_seed = sorted(cell, key=lambda run: (run.seed is None, run.seed or 0, run.name))
                ordered.append(by_seed)
    return ordered


def _worth_a_section(found: list[CohortConclusions]) -> list[CohortConclusions]:
    """Leave out the sections of groups of which nothing but the runs can be said.

    The first group is always shown; of the others those with a recommendation, ten at most.
    """
    return [item for index, item in enumerate(found) if index == 0 or item.recommendations][:10]


def _header(
    runs: list[Run], groups: list[Cohort], shown: list[CohortConclusions], links: Links
) -> str:
    from fzmm.version import __version__

    counts = f"{text.plural(len(runs), 'run')}"
    if len(groups) > 1:
        counts += f" in {len(groups)} groups that are not comparable with one another"
    cohorts_shown = [item.cohort for item in shown]
    rest = [run for cohort in groups if cohort not in cohorts_shown for run in cohort.runs]
    if rest:
        counts += f" ({text.plural(len(rest), 'run')} in no section of their own {links.to(rest)})"
    return (
        f"<h1>What to freeze, and whether more data would help</h1>"
        f'<p class="soft">{counts}, read by fzmm {__version__}. mAP in %, '
        "differences in percentage points (pp). Each number links to its runs.</p>"
        '<nav><a href="#findings">Findings</a><a href="#figures">Figures</a>'
        '<a href="#tables">Tables</a><a href="#missing">What is missing</a>'
        '<a href="#runs">Runs</a></nav>'
    )


def _cohort(
    conclusions: CohortConclusions, index: int, out_dir: Path, links: Links
) -> tuple[str, dict]:
    """Write one cohort's part of the page and its summary."""
    cohort = conclusions.cohort
    prefix = f"{index + 1}-" if index else ""
    tables = [
        table
        for table in (
            result_tables.scenarios_table(cohort),
            result_tables.gap_table(cohort),
            result_tables.spread_table(cohort),
            result_tables.decay_table(cohort),
            result_tables.repeats_table(cohort),
            result_tables.variations_table(cohort),
            result_tables.amounts_table(cohort),
        )
        if table is not None and table.rows
    ]
    figures, lacking = [], []
    for entry in FIGURES:
        made = _figure(entry, conclusions, prefix, out_dir, links)
        if made:
            figures.append(made)
        else:
            lacking.append(entry)
    for table in tables:
        table.key = prefix + table.key
    title = "The answer" if not index else f"Another group: {cohort.label}"
    body = [
        f'<h2 id="{prefix}answer">{escape(title)}</h2>' if index else "",
        f'<p class="soft">{escape(cohort.label)}</p>',
        answer_html(conclusions, links),
        f'<h2 id="{prefix}findings">The five findings, tested here</h2>',
        _findings_html(conclusions.findings, links),
        f'<h2 id="{prefix}figures">Figures</h2>',
        *figures,
        f'<h2 id="{prefix}tables">Tables</h2>',
        *(table_html(table, links) for table in tables),
        _missing_html(conclusions, lacking, {t.key.removeprefix(prefix) for t in tables}, prefix),
    ]
    return "".join(body), summarise_cohort(conclusions, tables)


def _figure(entry, conclusions, prefix, out_dir, links) -> str | None:
    from fzmm.analysis.figures import style

    with style.styled():
        figure = entry.draw(conclusions)
        if figure is None:
            return None
        svg = io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
        png = io.BytesIO()
        figure.savefig(png, format="png", dpi=150)
    name = f"{prefix}{entry.key}"
    _write(out_dir / "figures" / f"{name}.svg", svg.getvalue())
    _write(out_dir / "figures" / f"{name}.png", png.getvalue())
    return (
        f'<section id="{name}">{heading(entry.title, entry.reference)}<figure>'
        f"{image(svg.getvalue(), entry.title)}<figcaption>{escape(entry.caption)} Runs: "
        f"{links.to(figure.runs)}</figcaption></figure></section>"
    )


def _findings_html(found, links: Links) -> str:
    items = []
    for finding in found:
        parts = "".join(
            f"<li>{_verdict(part.verdict)} <b>{escape(part.claim)}</b>: {escape(part.effect)} "
            f"{links.to(part.runs)}</li>"
            for part in finding.parts
        )
        items.append(
            f"<li>{_verdict(finding.verdict)} {escape(finding.statement)}"
            f"<ul class='note'>{parts}</ul></li>"
        )
    return f'<ol class="findings">{"".join(items)}</ol>'


def _verdict(verdict: str) -> str:
    kind = {HOLDS: "holds", FAILS: "fails"}.get(verdict, "open")
    return f'<span class="verdict {kind}">{escape(verdict)}</span>'


def _missing_html(conclusions: CohortConclusions, lacking, tables: set[str], prefix: str) -> str:
    lines = [
        f"<li>{escape(entry.title)} ({escape(entry.reference or 'not in the thesis')}): needs "
        f"{escape(entry.needs)}</li>"
        for entry in lacking
    ]
    for key, name, needs in (
        ("decay-gain", "mAP gain at the first decay (Table 2)", "evaluations around a decay"),
        ("spread-repeats", "Spread over repeats (5.1)", "a scenario run with two seeds"),
        ("spread-subsets", "Spread over subsets (5.2)", "runs on two subsets of one size"),
    ):
        if key not in tables:
            lines.append(f"<li>{escape(name)}: needs {escape(needs)}</li>")
    lines += [f"<li>Classes of {escape(line)}</li>" for line in conclusions.class_counts[1]]
    commands = missing_runs.scenarios_to_run(conclusions.cohort)
    shown = "\n".join(escape(line) for line in commands)
    block = (
        f"<details><summary>{text.plural(len(commands), 'run')} would complete the scenarios"
        f"</summary><pre>{shown}</pre></details>"
        if commands
        else ""
    )
    listed = f"<ul>{''.join(lines)}</ul>" if lines else "<p>No table and no figure.</p>"
    return f'<h2 id="{prefix}missing">What is missing</h2>{listed}{block}'


def _notes(notes: list[str], runs: list[Run]) -> str:
    lines = [escape(note) for note in notes]
    lines += [f"{escape(run.name)}: {escape(note)}" for run in runs for note in run.notes]
    if not lines:
        return ""
    return f"<h2 id='notes'>Notes</h2><ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"


def _csv(runs: list[Run]) -> bytes:
    stream = io.StringIO(newline="")
    rows = csv_rows(runs)
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode("utf-8", "replace")


def _write(path: Path, data: bytes) -> None:
    with atomic_write(path, "wb") as file:
        file.write(data)
