"""Tables as data, and how they are written as Markdown and plain text."""

from __future__ import annotations

from dataclasses import dataclass, field

from fzmm.analysis.reading.run import Run


@dataclass(frozen=True)
class Cell:
    """One entry of a table.

    Attributes:
        text: What it shows.
        runs: The runs that the number comes from.
        thesis: What the thesis reports in its place, as text; empty if nothing.
        title: A longer text for those who point at it.
        detail: A second line, such as an interval.
    """

    text: str
    runs: tuple[Run, ...] = ()
    thesis: str = ""
    title: str = ""
    detail: str = ""


@dataclass
class Table:
    """A table of the report.

    Attributes:
        key: Short name, used in links and file names.
        title: What it shows.
        reference: Its place in the thesis, e.g. ``Table 2``; empty if it is not in it.
        columns: Headings.
        rows: Cells, or plain text.
        note: One or two sentences below it.
    """

    key: str
    title: str
    reference: str
    columns: list[str]
    rows: list[list[Cell | str]] = field(default_factory=list)
    note: str = ""


UNKNOWN = "unknown"


def text_of(cell: Cell | str) -> str:
    """Return what a cell shows."""
    if not isinstance(cell, Cell):
        return cell
    return f"{cell.text} ({cell.detail})" if cell.detail else cell.text


def markdown(table: Table) -> str:
    """Write a table as GitHub Markdown; pipes and line breaks in cells are escaped."""
    lines = [[_escape(name) for name in table.columns]]
    lines.append(["---"] * len(table.columns))
    lines += [[_escape(text_of(cell)) for cell in row] for row in table.rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def plain(table: Table) -> str:
    """Write a table for a terminal: columns aligned, first to the left, others to the right."""
    lines = [table.columns] + [[text_of(cell) for cell in row] for row in table.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.columns))]
    rule = ["-" * width for width in widths]
    shown = []
    for line in [lines[0], rule, *lines[1:]]:
        cells = [
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        shown.append("  ".join(cells).rstrip())
    return "\n".join(shown) + "\n"


def _escape(text: str) -> str:
    """Keep a cell in its cell and its angle brackets as text."""
    text = " ".join(str(text).split())
    for character, replacement in (("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, replacement)
    return text
