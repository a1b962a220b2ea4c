"""Texts from a user's files on their way to a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO


def printable(text: object) -> str:
    """Return a text with every control character written as its escape.

    A name can hold ESC, with which a terminal is told to clear itself or to rename its window.
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text)
    )


def text_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose columns are aligned, the first to the left, others to the right.

    Args:
        columns: Headings.
        rows: As many texts each.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if index else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))

    # as wide as it needs to be, whatever the terminal is: a pipe gets the same
    console = Console(file=StringIO(), width=10_000, color_system=None)
    console.print(table)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())
