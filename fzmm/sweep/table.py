"""Showing a sweep: a table of its runs, live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fzmm.sweep.run_dir.state import RunStatus, State
from fzmm.utils.durations import duration
from fzmm.utils.terminal import printable

STYLES = {
    State.WAITING: "dim",
    State.RUNNING: "bold cyan",
    State.DONE: "green",
    State.FAILED: "bold red",
    State.INTERRUPTED: "yellow",
}


def summary_line(statuses: Sequence[RunStatus]) -> str:
    """Return ``3 of 12 done, 1 running, ...``."""
    counts = Counter(status.state for status in statuses)
    parts = [f"{counts[State.DONE]} of {len(statuses)} done"]
    parts += [
        f"{counts[state]} {state.value}" for state in State if state != State.DONE and counts[state]
    ]
    return ", ".join(parts)


def status_table(statuses: Sequence[RunStatus], width: int = 100) -> Table:
    """Return the table of a sweep: state, progress, best mAP, time left, place and last error."""
    table = Table(title_justify="left", pad_edge=False, box=None, header_style="bold")
    table.add_column("run", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("iteration", justify="right", no_wrap=True)
    if width >= 110:
        table.add_column("", width=12)
    table.add_column("best mAP", justify="right", no_wrap=True)
    table.add_column("left", justify="right", no_wrap=True)

    table.add_column("tries", justify="right", no_wrap=True)
    chosen = any(status.run.reason for status in statuses)
    if chosen:
        table.add_column("why", overflow="fold")
    table.add_column("where and what happened", overflow="fold", ratio=1)

    for status in statuses:
        done, total = status.progress.iteration, status.progress.max_iters
        cells: list = [
            Text(printable(status.run.name)),
            Text(status.state.value, style=STYLES[status.state]),
            f"{done or 0:,} / {total:,}" if total else (f"{done:,}" if done else "-"),
        ]
        if width >= 110:
            cells.append(ProgressBar(total=total or 1, completed=done or 0, width=12))
        best = status.progress.best_map
        place = Text(printable(status.where))
        if status.note:
            place.append(("\n" if status.where else "") + printable(status.note), style="italic")
        cells += [
            "-" if best is None else f"{100 * best:.1f}",
            duration(status.seconds_left),
            str(status.attempts or "-"),
            *([Text(printable(status.run.reason or "asked for"))] if chosen else []),
            place,
        ]
        table.add_row(*cells)

    return table


def progress_line(status: RunStatus) -> str:
    """Return one line on one run, for output that is not a terminal."""
    progress = status.progress
    parts = [f"{status.run.name}: {status.state.value}"]
    if progress.max_iters:
        parts.append(f"iteration {progress.iteration or 0:,} of {progress.max_iters:,}")
    if progress.best_map is not None:
        parts.append(f"best mAP {100 * progress.best_map:.1f}")
    if status.seconds_left is not None:
        parts.append(f"{duration(status.seconds_left)} left")
    return ", ".join(parts)


class Display:
    """Shows a sweep while it goes on.

    Args:
        console: Where to; a live table on a terminal, a line every ``interval`` seconds elsewhere.
        interval: Seconds between plain lines.
    """

    def __init__(self, console: Console | None = None, interval: float = 10) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self.interval = interval
        self._live: Live | None = None
        self._shown = time.monotonic()

    def __enter__(self) -> Display:
        if self.console.is_terminal:
            self._live = Live(console=self.console, auto_refresh=False, transient=True)
            self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.__exit__(*error)
            self._live = None

    def say(self, line: str) -> None:
        """Print a line that stays."""
        self.console.print(
            f"[{time.strftime('%H:%M:%S')}] {printable(line)}", markup=False, highlight=False
        )

    def update(self, statuses: Sequence[RunStatus]) -> None:
        """Show how things stand."""
        if self._live is not None:
            table = status_table(statuses, self.console.width)
            self._live.update(Group(table, Text(summary_line(statuses))), refresh=True)
        elif time.monotonic() - self._shown >= self.interval:
            self._shown = time.monotonic()
            running = [status for status in statuses if status.state is State.RUNNING]
            for status in running:
                self.say(progress_line(status))
            if not running:
                self.say(summary_line(statuses))

    def final(self, statuses: Sequence[RunStatus]) -> None:
        """Print the table that stays."""
        wide = self.wide_console(120)
        wide.print(status_table(statuses, wide.width if wide.is_terminal else 0))
        wide.print(summary_line(statuses))

    def wide_console(self, width: int) -> Console:
        """Return a console of the same output, ``width`` columns wide where it is no terminal."""
        return Console(
            file=self.console.file,
            width=self.console.width if self.console.is_terminal else width,
            force_terminal=self.console.is_terminal,
            highlight=False,
        )
