"""A training as a child process that can be told to stop and never outlives its parent for long."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from fzmm.exit_codes import PREEMPTED_EXIT_CODE

GRACE_SECONDS = 120.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class Training:
    """One child process.

    Args:
        command: Its argument list.
        grace: Seconds between SIGTERM and SIGKILL: an iteration and the writing of a checkpoint.
    """

    def __init__(self, command: Sequence[str], grace: float = GRACE_SECONDS) -> None:
        self.command = list(command)
        self.grace = grace
        self._child: subprocess.Popen | None = None
        self._told_at: float | None = None

    @property
    def told_to_stop(self) -> bool:
        """Whether ``stop`` was called."""
        return self._told_at is not None

    def stop(self) -> None:
        """Tell it to save and end; ``run`` then returns. Fit for a signal handler."""
        if self._told_at is None:
            self._told_at = time.monotonic()
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()

    def run(self, output: Path, keep_open: Sequence[int] = ()) -> int:
        """Run it to its end and leave nothing of it behind.

        Args:
            output: File for what it prints.
            keep_open: File descriptors that it inherits.

        Returns:
            Its exit code, negative for a signal.
        """
        if self.told_to_stop:
            return PREEMPTED_EXIT_CODE
        try:
            with open(output, "wb") as file:
                self._child = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    # Not the terminal's process group: Ctrl-C must come as one SIGTERM.
                    start_new_session=True,
                    pass_fds=keep_open,
                    preexec_fn=_prepare_child,
                )
            if self.told_to_stop:  # between the question above and the start
                self._child.terminate()
            while self._child.poll() is None:
                time.sleep(0.1)
                if self._told_at is not None and time.monotonic() - self._told_at > self.grace:
                    self.kill()
            return self._child.returncode
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill it and what it may have left behind, such as data workers."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()


def die_with_parent() -> None:
    """Ask the kernel to send this process SIGTERM when its parent dies, however it dies."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _prepare_child() -> None:
    die_with_parent()
    # Slurm's warning goes to every process of a job; the job itself passes it on as SIGTERM.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
