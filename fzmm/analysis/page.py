"""The report's page: escaping, cells with links to runs, and the style sheet."""

from __future__ import annotations

import base64
from html import escape

from fzmm.analysis.records import Run
from fzmm.analysis.tables import Cell, Table

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
tr:target td { background: #fff6d6; }
.verdict { font-weight: 700; white-space: nowrap; }
.holds { color: var(--good); } .fails { color: var(--bad); } .open { color: var(--soft); }
figure { margin: 10px 0 4px; }
figure img { max-width: 100%; height: auto; display: block; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { font-size: .9em; overflow-wrap: anywhere; }
pre { background: var(--tint); padding: 10px 12px; border-radius: 6px; overflow-x: auto;
  font-size: .82rem; line-height: 1.45; }
details { margin: 8px 0; } summary { cursor: pointer; color: var(--accent); }
.runs td { font-size: .82rem; } .wrap { overflow-wrap: anywhere; min-width: 11em; }
nav { font-size: .9rem; margin: 14px 0 0; } nav a { margin-right: 14px; white-space: nowrap; }
@media (max-width: 640px) {
  main { padding: 18px 14px 48px; } h1 { font-size: 1.4rem; } body { font-size: 15px; }
  .card .big { font-size: 1.25rem; } figure { overflow-x: auto; }
  figure img { max-width: none; width: 100%; min-width: 560px; }
}
@media print {
  body { font-size: 10pt; } main { max-width: none; padding: 0; } nav { display: none; }
  h2 { break-after: avoid; } h3 { break-after: avoid; }
  figure, .card, .answers > div, tr { break-inside: avoid; }
  .scroll { overflow: visible; } table { font-size: 7.5pt; } th, td { padding: 2px 5px; }
  a { color: inherit; text-decoration: none; } details > * { display: block; }
  pre { white-space: pre-wrap; }
}
"""


class Links:
    """Numbers the runs and links to their rows."""

    def __init__(self, runs: list[Run]):
        self.number = {id(run): index + 1 for index, run in enumerate(runs)}

    def anchor(self, run: Run) -> str:
        """Return the id of a run's row."""
        return f"run-{self.number[id(run)]}"

    def to(self, runs) -> str:
        """Return small links to runs: ``R3``, ``R3 R4`` or, for neighbours, ``R3–R8``."""
        numbers = sorted({self.number[id(run)] for run in runs})
        parts = []
        for first, last in _ranges(numbers):
            text = f"R{first}" if first == last else f"R{first}–R{last}"
            parts.append(f'<a href="#run-{first}">{text}</a>')
        if len(parts) > 6:
            parts = [*parts[:5], f"and {len(numbers) - _covered(numbers, 5)} more"]
        return f'<span class="runs-link">{" ".join(parts)}</span>' if parts else ""


def _ranges(numbers: list[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], number
        else:
            ranges.append((number, number))
    return ranges


def _covered(numbers: list[int], parts: int) -> int:
    return sum(last - first + 1 for first, last in _ranges(numbers)[:parts])


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
    title = f' title="{escape(cell.title)}"' if cell.title else ""
    shown = f"<span{title}>{escape(cell.text)}</span>"
    if cell.runs:
        shown += f" {links.to(cell.runs)}"
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
