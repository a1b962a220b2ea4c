"""A training as a child process that can be told to stop and never outlives its parent for long."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from fzmm.exit_codes import PREEMPTED_EXIT_CODE
from fzmm.utils.parent_death import signal_at_parents_end


class TrainingProcess:
    """One training in a process group of its own.

    Args:
        command: Its argument list.
        grace: Seconds between SIGTERM and SIGKILL: an iteration and the writing of a checkpoint.
    """

    def __init__(self, command: Sequence[str], grace: float) -> None:
        self.command = list(command)
        self.grace = grace
        self._child: subprocess.Popen | None = None
        self._told_at: float | None = None

    @property
    def told_to_stop(self) -> bool:
        """Whether ``stop`` was called."""
        return self._told_at is not None

    def start(
        self, output: Path, environment: Mapping[str, str], keep_open: Sequence[int] = ()
    ) -> None:
        """Start it, unless it was told to stop before.

        Args:
            output: File for what it prints.
            environment: Its environment variables.
            keep_open: File descriptors that it inherits.

        Raises:
            OSError: If it cannot be started, or the file not be written.
        """
        if self.told_to_stop:
            return
        with open(output, "wb") as file:
            self._child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment,
                # Not the terminal's process group: Ctrl-C must come as one SIGTERM.
                start_new_session=True,
                pass_fds=keep_open,
                preexec_fn=functools.partial(_prepare_child, os.getpid()),
            )

        if self.told_to_stop:  # between the question above and the start
            self._child.terminate()

    def stop(self) -> None:
        """Tell it to save and end; returns at once. Fit for a signal handler."""
        if self._told_at is None:
            self._told_at = time.monotonic()
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()

    def poll(self) -> int | None:
        """Return its exit code, negative for a signal, or None while it trains.

        One that outlasts the grace is killed; of one that has ended nothing is left behind.
        """
        if self._child is None:
            return PREEMPTED_EXIT_CODE
        if self._told_at is not None and time.monotonic() - self._told_at > self.grace:
            self.kill()
        if self._child.poll() is not None:
            self.kill()
        return self._child.returncode

    def wait(self) -> int:
        """Wait for its end; return as ``poll``."""
        try:
            while (code := self.poll()) is None:
                time.sleep(0.1)
            return code
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill it and what it may have left behind, such as data workers."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()


def _prepare_child(parent: int) -> None:
    # However its parent dies, the training is then told to save.
    if not signal_at_parents_end(signal.SIGTERM, parent):
        os._exit(PREEMPTED_EXIT_CODE)
    # Slurm's warning goes to every process of a job; the job itself passes it on as SIGTERM.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
