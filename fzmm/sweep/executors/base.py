"""What a sweep asks of whatever runs its attempts."""

from __future__ import annotations

import argparse

from fzmm.errors import UserError
from fzmm.sweep.executors import EXECUTORS
from fzmm.sweep.options import SweepOptions
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.training.attempt import AttemptEnd


class Executor:
    """Starts attempts at runs and tells how they end.

    Args:
        options: The sweep's.
        schedule_gpus: GPUs of each run that its schedule is made for.

    Attributes:
        detached: Whether what it has started goes on when the sweep ends.
        processes: Of each run, one a GPU.

    Raises:
        UserError: If what it needs is missing, or an option does not fit.
    """

    detached = False

    def __init__(self, options: SweepOptions, schedule_gpus: int = 1) -> None:
        self.options = options
        self.processes = options.gpus_per_run or schedule_gpus

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Add command-line options; those named ``--NAME-...`` reach ``executor_options``."""

    @property
    def active(self) -> list[PlannedRun]:
        """Runs that it is training, or has queued."""
        raise NotImplementedError

    def has_room(self) -> bool:
        """Whether another attempt can start now."""
        raise NotImplementedError

    def start(self, run: PlannedRun) -> None:
        """Start an attempt, or collect it for ``flush``.

        Raises:
            UserError: If this run cannot be started, whatever the others can.
        """
        raise NotImplementedError

    def poll(self) -> list[tuple[PlannedRun, AttemptEnd]]:
        """Return the attempts that have ended since the last call."""
        raise NotImplementedError

    def flush(self) -> None:
        """Start what has been collected."""

    def describe(self, run: PlannedRun) -> str:
        """Return what is known of a run beside its directory; empty for nothing."""
        return ""

    def stop(self) -> None:
        """Tell every training to save and end; returns at once."""

    def kill(self) -> None:
        """End everything now."""

    def going_on(self) -> str:
        """Return what to say, when the sweep ends, of attempts that go on; empty for nothing."""
        return ""


def executor_classes() -> dict[str, type[Executor]]:
    """Return the executors by the name that ``--executor`` takes."""
    EXECUTORS.import_from_location()
    return dict(EXECUTORS.module_dict)


def build_executor(options: SweepOptions, schedule_gpus: int = 1) -> Executor:
    """Return the executor that the options name.

    Raises:
        UserError: If there is none of that name, or it cannot work here.
    """
    classes = executor_classes()
    if options.executor not in classes:
        raise UserError(f"--executor {options.executor}: one of {', '.join(sorted(classes))}")
    return classes[options.executor](options, schedule_gpus)
