"""How a training ends: finished, told to stop, or by a mistake that is told in one line."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

from fzmm.errors import ONE_LAUNCHER, UserError
from fzmm.exit_codes import PREEMPTED_EXIT_CODE
from fzmm.provenance import update_provenance
from fzmm.utils.files import is_full
from fzmm.utils.parent_death import signal_at_parents_end


@contextlib.contextmanager
def ends_when_told() -> Iterator[None]:
    """Exit with ``PREEMPTED_EXIT_CODE`` on a SIGTERM before training has begun.

    There is nothing to save then; once it has begun, ``PreemptionHook`` listens. A process of
    fzmm's torchrun is killed with it: that starts each in a session of its own, where it would go
    on, or wait for the others for ever, after its launcher was killed and the lock was given up.
    """
    launcher = os.environ.get(ONE_LAUNCHER)
    if launcher and not signal_at_parents_end(signal.SIGKILL, int(launcher)):
        os._exit(PREEMPTED_EXIT_CODE)

    def leave(number: int, frame: Any) -> None:
        raise SystemExit(PREEMPTED_EXIT_CODE)

    try:
        previous = signal.signal(signal.SIGTERM, leave)
    except ValueError:  # not the main thread: whoever has that listens
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def train_to_the_end(runner: Any) -> None:
    """Train; a mistake that only shows while training ends it with one line, noted in its record.

    Args:
        runner: MMEngine's runner of a prepared config.

    Raises:
        UserError: If an image of the validation is missing, the disk is full, or a hook says so.
        SystemExit: With ``PREEMPTED_EXIT_CODE``, after a signal and a saved checkpoint.
    """
    try:
        runner.train()
    except UserError as error:
        _note(runner, str(error))
        raise
    except OSError as error:
        message = _explain(error, runner.work_dir)
        if message is None:
            raise
        _note(runner, message)
        raise UserError(message) from error


def _note(runner: Any, reason: str) -> None:
    """Write the reason into the run's record, once there is one of this start, disk permitting."""
    recording = any(getattr(hook, "recording", False) for hook in runner.hooks)
    if runner.rank == 0 and recording:
        with contextlib.suppress(OSError):
            update_provenance(runner.work_dir, stop_reason=reason)


def _explain(error: OSError, work_dir: str) -> str | None:
    if is_full(error):
        return (
            f"{work_dir} cannot be written ({error.strerror}): make room and continue with "
            "--resume; checkpoints are intact"
        )
    if isinstance(error, FileNotFoundError):
        # From a worker of the validation: torch has put its traceback into the message.
        line = str(error).strip().splitlines()[-1].rpartition("FileNotFoundError: ")[2]
        return f"{line}: put the file back and continue with --resume"
    return None
