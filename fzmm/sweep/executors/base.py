"""What a sweep asks of whatever runs its attempts."""

from __future__ import annotations

from typing import Protocol

from fzmm.sweep.runs import Run


class Executor(Protocol):
    """Starts attempts at runs and tells how they end.

    Attributes:
        detached: Whether what it has started goes on when the sweep ends.
        processes: Of each run, one a GPU.
    """

    detached: bool
    processes: int

    @property
    def active(self) -> list[Run]:
        """Runs that it is training, or has queued."""

    def has_room(self) -> bool:
        """Whether another attempt can start now."""

    def start(self, run: Run) -> None:
        """Start an attempt, or collect it for ``flush``."""

    def flush(self) -> None:
        """Start what has been collected."""

    def poll(self) -> list[tuple[Run, int, str]]:
        """Return ``(run, exit code, what it said)`` of the attempts that have ended."""

    def describe(self, run: Run) -> str:
        """Return what is known of a run beside its directory; empty for nothing."""

    def stop(self) -> None:
        """Tell every training to save and end; returns at once."""

    def kill(self) -> None:
        """End everything now."""

    def going_on(self) -> str:
        """Return what to say, when the sweep ends, of attempts that go on; empty for nothing."""
