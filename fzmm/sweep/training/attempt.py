"""One attempt at one run: lock its directory, train in a process of its own, note how it ended.

Every executor makes these: the local one in the sweep's own process, the others where the run is
trained. Whoever kills them kills no more than an attempt: the training is told (SIGTERM, by the
kernel where need be), saves a checkpoint, and the directory says what happened.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fzmm.errors import UserError
from fzmm.exit_codes import PREEMPTED_EXIT_CODE
from fzmm.run_lock import RunLock
from fzmm.sweep.options import GRACE_SECONDS
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.run_dir.record import now, read_record, write_record
from fzmm.sweep.run_dir.run_progress import read_progress
from fzmm.sweep.run_dir.state import State, is_finished, trained_to_its_end
from fzmm.sweep.training.training_command import training_environment
from fzmm.sweep.training.training_process import TrainingProcess
from fzmm.utils.files import is_full


@dataclass(frozen=True)
class AttemptEnd:
    """How an attempt ended.

    Attributes:
        outcome: Done, failed or interrupted.
        exit_code: The training's, negative for a signal; None if it ended without notice.
        error: One line that says why it is not done; None where there is nothing to say.
    """

    outcome: State
    exit_code: int | None = None
    error: str | None = None


class Attempt:
    """One attempt at one run.

    Args:
        run: The run.
        command: The training, an argument list.
        arguments: What was passed on to the training, kept so that a later sweep can tell whether
            it asks for the same.
        where: Where it runs, for tables.
        grace: Seconds between SIGTERM and SIGKILL.
    """

    def __init__(
        self,
        run: PlannedRun,
        command: Sequence[str],
        arguments: Sequence[str] = (),
        where: str | None = None,
        grace: float = GRACE_SECONDS,
    ) -> None:
        self.run = run
        self.arguments = list(arguments)
        self.where = where or f"{socket.gethostname()} pid {os.getpid()}"
        self._process = TrainingProcess(command, grace)
        self._lock = RunLock(run.work_dir)

    def start(self, environment: Mapping[str, str] | None = None) -> bool:
        """Start to train, unless the run is finished or trained by somebody else.

        Args:
            environment: Of the training; by default this process's.

        Returns:
            Whether it trains; if so, ``poll`` must be called until it tells the end.

        Raises:
            UserError: If the directory cannot be written.
        """
        folder = self.run.work_dir
        try:
            owner = dict(host=socket.gethostname(), pid=os.getpid(), where=self.where)
            if not self._lock.acquire(owner):
                return False
            progress, record = read_progress(folder), read_record(folder)
            if is_finished(folder, progress, record["attempts"]):
                self._lock.release()
                return False
            self._begin(record, progress.iteration or 0, environment or training_environment())
        except OSError as error:
            self._lock.release()
            remedy = "make room there" if is_full(error) else "check the folder and its permissions"
            place = error.filename or folder
            raise UserError(f"{place}: {error.strerror}; {remedy}") from None

        return True

    def _begin(self, record: dict, iteration: int, environment: Mapping[str, str]) -> None:
        attempt = dict(started=now(), where=self.where, from_iteration=iteration)
        record.update(config=str(self.run.config), seed=self.run.seed, arguments=self.arguments)
        if self.run.reason:
            record["reason"] = self.run.reason
        for earlier in record["attempts"]:  # what was killed with its machine noted no end
            earlier.setdefault("outcome", State.INTERRUPTED.value)
        record["attempts"].append(attempt)
        self._output = self.run.work_dir / f"attempt{len(record['attempts'])}.txt"
        write_record(self.run.work_dir, record)

        # The training keeps the directory locked for as long as it lives.
        environment = {**environment, **self._lock.environment()}
        self._process.start(self._output, environment, keep_open=[self._lock.fd])

    @property
    def exit_code(self) -> int | None:
        """The training's, negative for a signal; None while it trains."""
        return self._process.poll()

    def poll(self) -> AttemptEnd | None:
        """Return how it ended, or None while it trains."""
        code = self.exit_code
        return None if code is None else self._end(self.judge(code))

    def wait(self) -> AttemptEnd:
        """Wait for its end."""
        code = self._process.wait()
        return self._end(self.judge(code))

    def end_as(self, end: AttemptEnd) -> AttemptEnd:
        """End it now, unless it has ended, for a reason that the training cannot know."""
        self._process.kill()
        return self._end(end)

    def stop(self) -> None:
        """Tell the training to save and end; returns at once. Fit for a signal handler."""
        self._process.stop()

    def kill(self) -> None:
        """End it now; what was trained since the last checkpoint is lost."""
        self._process.stop()
        self._process.kill()

    def _end(self, end: AttemptEnd) -> AttemptEnd:
        folder = self.run.work_dir
        record = read_record(folder)
        if record["attempts"]:
            record["attempts"][-1].update(
                ended=now(),
                iteration=read_progress(folder).iteration,
                outcome=end.outcome.value,
                exit_code=end.exit_code,
                error=end.error,
            )

        # The disk may be full. Without its end the attempt counts as interrupted.
        with contextlib.suppress(OSError):
            write_record(folder, record)
        self._lock.release()
        return end

    def judge(self, code: int) -> AttemptEnd:
        """Return how a training that has ended by itself did."""
        folder = self.run.work_dir
        if code == 0 and trained_to_its_end(folder, read_progress(folder)):
            return AttemptEnd(State.DONE, code)
        if code == PREEMPTED_EXIT_CODE:
            return AttemptEnd(State.INTERRUPTED, code)
        # Launchers and signals on the way may change the code: who was told to stop has stopped.
        if self._process.told_to_stop:
            reason = "stopped before it could save; goes on from its last checkpoint"
            return AttemptEnd(State.INTERRUPTED, code, reason)

        if shutil.disk_usage(folder).free < 2**20:
            # whatever the training had to say about it has found no room either
            return AttemptEnd(State.FAILED, code, "No space left on device")
        return end_of(code, self._output)


def end_of(code: int, output: Path) -> AttemptEnd:
    """Return how a training ended that neither finished nor was told to stop.

    Args:
        code: Its exit code, negative for a signal.
        output: File of what it printed.
    """
    if code < 0:
        name = signal.Signals(-code).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return AttemptEnd(State.INTERRUPTED, code, f"killed by {name}{hint}")
    if code == 0:
        return AttemptEnd(State.FAILED, code, "ended with exit code 0, but not at its end")
    return AttemptEnd(State.FAILED, code, last_error(output) or f"exit code {code}")


def last_error(output: Path, limit: int = 300) -> str | None:
    """Return the line of a training's output that says why it failed, or None if it said nothing.

    That is fzmm's own ``error:`` line; else the last line that looks like an exception; else the
    last line.
    """
    try:
        with output.open("rb") as file:
            file.seek(max(0, output.stat().st_size - 65536))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for pattern in (r"error: ", r"([A-Za-z_][\w.]*(Error|Exception|Interrupt))\b(:|$)"):
        for line in reversed(lines):
            if re.match(pattern, line) and "ChildFailedError" not in line:
                return line.removeprefix("error: ")[:limit]
    return lines[-1][:limit] if lines else None
