"""Telling a person what a long command is doing."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text


class Progress:
    """Say what is being done on standard error.

    On a terminal a spinner shows the present step; elsewhere each step is one short line and
    passing news is left out.
    """

    def __init__(self):
        self._console = Console(stderr=True, highlight=False)
        self._status = self._console.status("") if self._console.is_terminal else None

    def __call__(self, line: str, passing: bool = False) -> None:
        """Show a line; ``passing`` ones only for a moment."""
        if self._status is not None:
            self._status.update(Text(line))
        if not passing:
            self._console.print(line, markup=False, soft_wrap=True)

    def __enter__(self):
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *unused) -> None:
        if self._status is not None:
            self._status.stop()
