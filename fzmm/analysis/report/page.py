"""The report's page: escaping, cells with links to runs, and the style sheet."""

from __future__ import annotations

import base64
from html import escape

from fzmm.analysis.reading.run import Run
from fzmm.analysis.report.table import Cell, Table

CSS = """
:root { --ink: #1a1d21; --soft: #5b6470; --line: #dfe3e8; --tint: #f5f7f9; --accent: #0072b2;
  --good: #00714f; --bad: #b34700; }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0; color: var(--ink); background: #fff; line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 24px 64px; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 4px; letter-spacing: -.01em; }
h2 { font-size: 1.35rem; margin: 48px 0 8px; padding-top: 12px; border-top: 2px solid var(--ink); }
h3 { font-size: 1.06rem; margin: 30px 0 4px; }
p { margin: 6px 0; max-width: 78ch; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: 2px; }
.soft, .note, figcaption { color: var(--soft); font-size: .9rem; }
.where { color: var(--soft); font-weight: 400; font-size: .86rem; white-space: nowrap; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(290px, 1fr)); gap: 14px;
  margin: 18px 0; }
.card { border: 1px solid var(--line); border-top: 4px solid var(--accent); border-radius: 6px;
  padding: 12px 16px 14px; background: #fff; }
.card h3 { margin: 0; font-size: .92rem; color: var(--soft); font-weight: 600; }
.card .big { font-size: 1.42rem; font-weight: 700; line-height: 1.25; margin: 2px 0 0; }
.card code { font-size: .86rem; }
.card ul { margin: 8px 0 0; padding-left: 1.1em; font-size: .93rem; }
.card li { margin: 3px 0; }
.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(290px, 1fr)); gap: 14px; }
.answers > div { background: var(--tint); border-radius: 6px; padding: 10px 16px 12px; }
.answers h3 { margin: 0 0 2px; }
.answers p { font-size: .95rem; }
.scroll { overflow-x: auto; margin: 8px 0; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 10px; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: top; }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; border-bottom-color: #9aa3ad; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td.left, th.left { text-align: left; }
.runs-link { font-size: .76rem; color: var(--soft); white-space: nowrap; }
.runs-link a { color: var(--soft); }
.thesis { display: block; font-size: .76rem; color: var(--soft); white-space: nowrap; }
a.number { color: inherit; text-decoration-style: dotted; text-decoration-color: #9aa3ad; }
a.number:hover { color: var(--accent); }
tr:target td, tbody:target td { background: #fff6d6; }
td { white-space: nowrap; } td.left { white-space: normal; }
.findings { padding-left: 1.4em; } .findings > li { margin: 14px 0; max-width: 92ch; }
.findings ul { margin: 5px 0 0; padding-left: 0; list-style: none; }
.findings ul li { margin: 4px 0; }
.verdict { font-size: .76rem; font-weight: 700; white-space: nowrap; border-radius: 4px;
  padding: 1px 7px; border: 1px solid currentColor; }
.findings ul .verdict { border: 0; padding: 0; font-size: .82rem; }
.holds { color: var(--good); } .fails { color: var(--bad); } .open { color: var(--soft); }
.holds::before { content: "✓ "; } .fails::before { content: "✗ "; } .open::before { content: "? "; }
figure { margin: 10px 0 4px; }
figure img { max-width: 100%; height: auto; display: block; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { font-size: .9em; overflow-wrap: anywhere; }
pre { background: var(--tint); padding: 10px 12px; border-radius: 6px; overflow-x: auto;
  font-size: .82rem; line-height: 1.45; }
details { margin: 8px 0; } summary { cursor: pointer; color: var(--accent); }
.runs td { font-size: .82rem; } .wrap { overflow-wrap: anywhere; min-width: 11em; }
.made { width: 32%; }
tbody + tbody tr:first-child td { border-top: 1px solid #b9c0c8; }
nav { font-size: .9rem; margin: 14px 0 0; } nav a { margin-right: 14px; white-space: nowrap; }
@media (max-width: 640px) {
  main { padding: 18px 14px 48px; } h1 { font-size: 1.4rem; } body { font-size: 15px; }
  .card .big { font-size: 1.25rem; } figure { overflow-x: auto; }
  figure img { max-width: none; width: 100%; min-width: 560px; }
}
@media print {
  @page { margin: 14mm; }
  body { font-size: 9.5pt; } main { max-width: none; padding: 0; } nav { display: none; }
  h1 { font-size: 17pt; } h2 { font-size: 13pt; margin-top: 22px; } h3 { margin-top: 14px; }
  h2, h3 { break-after: avoid; }
  .cards { grid-template-columns: repeat(3, 1fr); gap: 8px; }
  .answers { grid-template-columns: 1fr 1fr; }
  .card .big { font-size: 12.5pt; } .card ul { font-size: 8.5pt; }
  figure, .card, .answers > div, tr { break-inside: avoid; }
  figure img { max-height: 82mm; } #class-shares img { max-height: 230mm; }
  .scroll { overflow: visible; } table { font-size: 7.5pt; }
  table .soft, table .thesis { font-size: 1em; } th, td { padding: 2px 5px; }
  .runs td { font-size: 6.5pt; line-height: 1.3; } .runs { width: 100%; }
  a { color: inherit; text-decoration: none; }
  details::details-content { content-visibility: visible; block-size: auto; }
  pre { white-space: pre-wrap; }
}
"""


class Links:
    """Numbers the runs and links to their rows.

    Rows of repeats stand together in a body of their own, so that a number that comes from all of
    them links to, and lights up, them all.
    """

    def __init__(self, groups: list[list[Run]]):
        """Number runs in the order given.

        Args:
            groups: Runs, repeats together.
        """
        self.groups = groups
        self.number = {
            id(run): index + 1 for index, run in enumerate(run for group in groups for run in group)
        }
        self._bodies = {self._numbers(group): self.body(group) for group in groups}

    def anchor(self, run: Run) -> str:
        """Return the id of a run's row."""
        return f"run-{self.number[id(run)]}"

    def body(self, group: list[Run]) -> str:
        """Return the id of the table body that holds some repeats."""
        return f"set-up-{self.number[id(group[0])]}"

    def target(self, runs) -> str:
        """Return the id to link to for a number that comes from some runs."""
        if len(runs) == 1:
            return self.anchor(runs[0])
        numbers = self._numbers(runs)
        return self._bodies.get(numbers, f"run-{numbers[0]}")

    def names(self, runs) -> str:
        """Name runs in plain text: ``R3, R7–R9``."""
        return ", ".join(_range_name(*ends) for ends in _ranges(self._numbers(runs)))

    def to(self, runs) -> str:
        """Return small links to runs: ``R3``, ``R3 R4`` or, for neighbours, ``R3–R8``."""
        numbers = self._numbers(runs)
        ranges = _ranges(numbers)
        parts = [f'<a href="#run-{ends[0]}">{_range_name(*ends)}</a>' for ends in ranges]
        if len(parts) > 6:
            left = len(numbers) - sum(last - first + 1 for first, last in ranges[:5])
            parts = [*parts[:5], f"and {left} more"]
        return f'<span class="runs-link">{" ".join(parts)}</span>' if parts else ""

    def _numbers(self, runs) -> tuple[int, ...]:
        return tuple(sorted({self.number[id(run)] for run in runs}))


def _range_name(first: int, last: int) -> str:
    return f"R{first}" if first == last else f"R{first}–R{last}"


def _ranges(numbers) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], number
        else:
            ranges.append((number, number))
    return ranges


def table_html(table: Table, links: Links) -> str:
    """Write a table with its title, the thesis's numbers below ours and links to the runs."""
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = []
    for row in table.rows:
        cells = "".join(f"<td>{cell_html(cell, links)}</td>" for cell in row)
        rows.append(f"<tr>{cells}</tr>")
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<section id="{escape(table.key)}">{heading(table.title, table.reference)}'
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>{note}</section>"
    )


def heading(title: str, reference: str) -> str:
    """Write a heading with its place in the thesis."""
    where = f' <span class="where">thesis: {escape(reference)}</span>' if reference else ""
    return f"<h3>{escape(title)}{where}</h3>"


def cell_html(cell: Cell | str, links: Links) -> str:
    """Write a table's entry."""
    if not isinstance(cell, Cell):
        return escape(cell)
    if cell.runs:
        title = escape(cell.title or links.names(cell.runs))
        target = links.target(cell.runs)
        shown = f'<a class="number" href="#{target}" title="{title}">{escape(cell.text)}</a>'
    else:
        title = f' title="{escape(cell.title)}"' if cell.title else ""
        shown = f"<span{title}>{escape(cell.text)}</span>"
    if cell.detail:
        shown += f'<span class="thesis">{escape(cell.detail)}</span>'
    if cell.thesis:
        shown += f'<span class="thesis">thesis {escape(cell.thesis)}</span>'
    return shown


def image(svg: bytes, alt: str) -> str:
    """Embed an SVG as an image, so that its ids stay its own and nothing in it can run."""
    data = base64.b64encode(svg).decode("ascii")
    return f'<img alt="{escape(alt)}" src="data:image/svg+xml;base64,{data}">'


def document(title: str, body: str) -> str:
    """Wrap a body into a page that needs no network and allows no script."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )
