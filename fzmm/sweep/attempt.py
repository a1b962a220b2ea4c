"""One attempt at one run: lock its directory, train in a process of its own, note how it ended.

Every executor runs this: on the machine itself as ``python -m fzmm.sweep.attempt``, in a Slurm job
as a function. Whoever kills it kills no more than an attempt: the training is told (SIGTERM, by the
kernel where need be), saves a checkpoint, and the directory says what happened.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from fzmm.errors import UserError, run_cli
from fzmm.exit_codes import PREEMPTED_EXIT_CODE, USER_ERROR
from fzmm.files import is_full
from fzmm.sweep.run_dir.lock import RunLock
from fzmm.sweep.run_dir.progress import read_progress
from fzmm.sweep.run_dir.record import now, read_record, write_record
from fzmm.sweep.run_dir.state import State, is_finished
from fzmm.sweep.runs import Run
from fzmm.sweep.training import GRACE_SECONDS, Training, die_with_parent

# The training of another attempt holds the directory; nothing was done.
HELD_EXIT_CODE = 76


def _unusable(folder: Path, error: OSError) -> UserError:
    what = "make room there" if is_full(error) else "check the folder and its permissions"
    return UserError(f"{error.filename or folder}: {error.strerror}; {what}")


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
        run: Run,
        command: Sequence[str],
        arguments: Sequence[str] = (),
        where: str | None = None,
        grace: float = GRACE_SECONDS,
    ) -> None:
        self.run = run
        self.training = Training(command, grace)
        self.arguments = list(arguments)
        self.where = where or f"{socket.gethostname()} pid {os.getpid()}"
        self.exit_code: int | None = None
        self.error: str | None = None

    def execute(self) -> State | None:
        """Train, unless the run is finished or trained by somebody else.

        Returns:
            How it ended, or None if another attempt holds the directory.

        Raises:
            UserError: If the directory cannot be written.
        """
        folder = self.run.work_dir
        lock = RunLock(folder)
        try:
            if not lock.acquire(dict(host=socket.gethostname(), pid=os.getpid(), where=self.where)):
                return None
        except OSError as error:
            raise _unusable(folder, error) from None
        try:
            progress, record = read_progress(folder), read_record(folder)
            if is_finished(folder, progress, record["attempts"]):
                return State.DONE
            attempt = dict(started=now(), where=self.where, from_iteration=progress.iteration or 0)
            record.update(config=str(self.run.config), seed=self.run.seed, arguments=self.arguments)
            record["attempts"].append(attempt)
            output = folder / f"attempt{len(record['attempts'])}.txt"
            try:
                write_record(folder, record)
                # The training keeps the directory locked for as long as it lives.
                self.exit_code = self.training.run(output, keep_open=[lock.fd])
            except OSError as error:
                raise _unusable(folder, error) from None
            outcome, self.error = self._judge(self.exit_code, output)
            attempt.update(
                ended=now(),
                iteration=read_progress(folder).iteration,
                outcome=outcome.value,
                exit_code=self.exit_code,
                error=self.error,
            )
            # The disk may be full. Without its end the attempt counts as interrupted.
            with contextlib.suppress(OSError):
                write_record(folder, record)
            return outcome
        finally:
            lock.release()

    def _judge(self, exit_code: int, output: Path) -> tuple[State, str | None]:
        if exit_code == 0:
            return State.DONE, None
        if exit_code == PREEMPTED_EXIT_CODE:
            return State.INTERRUPTED, None
        # Launchers and signals on the way may change the code: who was told to stop has stopped.
        if self.training.told_to_stop:
            return (
                State.INTERRUPTED,
                "stopped before it could save; goes on from its last checkpoint",
            )
        if shutil.disk_usage(self.run.work_dir).free < 2**20:
            # whatever the training had to say about it has found no room either
            return State.FAILED, "No space left on device"
        if exit_code < 0:
            name = signal.Signals(-exit_code).name
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            return State.INTERRUPTED, f"killed by {name}{hint}"
        return State.FAILED, last_error(output) or f"exit code {exit_code}"


def last_error(output: Path, limit: int = 300) -> str | None:
    """Return the line of a training's output that says why it failed, or None if it said nothing.

    That is fzmm's own ``error:`` line; else the last line that looks like an exception; else the
    last line.
    """
    try:
        text = output.read_bytes()[-65536:].decode("utf-8", errors="replace")
    except OSError:
        return None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for pattern in (r"error: ", r"([A-Za-z_][\w.]*(Error|Exception|Interrupt))\b(:|$)"):
        for line in reversed(lines):
            if re.match(pattern, line) and "ChildFailedError" not in line:
                return line.removeprefix("error: ")[:limit]
    return lines[-1][:limit] if lines else None


def main() -> int:
    """Run one attempt in this process; the executor's child."""
    parser = argparse.ArgumentParser(description="One attempt at one run; for tools/sweep.py.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--grace", type=float, default=GRACE_SECONDS)
    parser.add_argument("--where")
    parser.add_argument("--arguments", type=int, default=0, help="how many end the command")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    arguments = args.command[len(args.command) - args.arguments :]
    attempt = Attempt(
        Run(args.config, args.seed, args.work_dir), args.command, arguments, args.where, args.grace
    )
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: attempt.training.stop())
    die_with_parent()
    if os.getppid() != args.parent:  # the sweep was gone before the line above
        return PREEMPTED_EXIT_CODE
    outcome = attempt.execute()
    if attempt.error:  # for a sweep that cannot read it from the directory: the disk may be full
        print(f"error: {attempt.error}", file=sys.stderr)
    codes = {
        None: HELD_EXIT_CODE,
        State.DONE: 0,
        State.INTERRUPTED: PREEMPTED_EXIT_CODE,
        State.FAILED: 1,
    }
    if outcome is State.FAILED and attempt.exit_code == USER_ERROR:
        return USER_ERROR
    return codes[outcome]


if __name__ == "__main__":
    run_cli(main)
