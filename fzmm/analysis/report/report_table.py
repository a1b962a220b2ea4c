"""Tables as data, and how they are written as Markdown and plain text."""

from __future__ import annotations

from dataclasses import dataclass, field

from fzmm.analysis.reading.run import Run
from fzmm.utils.pages import escape_markdown
from fzmm.utils.terminal import text_table


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
    lines = [[escape_markdown(name) for name in table.columns]]
    lines.append(["---"] * len(table.columns))
    lines += [[escape_markdown(text_of(cell)) for cell in row] for row in table.rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def plain(table: Table) -> str:
    """Write a table for a terminal."""
    return text_table(table.columns, [[text_of(cell) for cell in row] for row in table.rows])
