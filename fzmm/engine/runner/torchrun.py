"""``torchrun``, ending with its processes' exit code.

    python -m fzmm.engine.runner.torchrun ARGUMENTS

A launcher can so tell a training that was told to stop and has saved (75), or a user's mistake (2),
from a crash (1). A mistake that all processes find is told once. The arguments are those of
``torchrun``.
"""

from __future__ import annotations

import logging
import os
import signal
import sys

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main as torchrun

from fzmm.errors import ONE_LAUNCHER
from fzmm.exit_codes import PREEMPTED_EXIT_CODE, USER_ERROR


def main() -> None:
    """Run ``torchrun``; exit with 2 or 75 if one of its processes did."""
    os.environ[ONE_LAUNCHER] = str(os.getpid())
    # What they warn of, exit codes and signals, ChildFailedError tells as well.
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("torch.distributed"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

    try:
        torchrun()
    except ChildFailedError as error:
        failures = error.failures.values()
        for message in {failure.message for failure in failures if failure.exitcode == USER_ERROR}:
            print(message, file=sys.stderr)
        codes = {failure.exitcode for failure in failures}
        for code in (USER_ERROR, PREEMPTED_EXIT_CODE):
            if code in codes:
                raise SystemExit(code) from None
        _tell_killed(error)
        raise
    except SignalException:  # torchrun was told to stop, and has passed it on
        raise SystemExit(PREEMPTED_EXIT_CODE) from None


def _tell_killed(error: ChildFailedError) -> None:
    """Say which processes were killed: they cannot, and the others know only that one is gone."""
    for rank, failure in error.failures.items():
        number = -failure.exitcode
        if number > 0 and number != signal.SIGTERM:  # by which torchrun itself ends the others
            name = signal.Signals(number).name
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            print(f"error: process {rank} was killed by {name}{hint}", file=sys.stderr)


if __name__ == "__main__":
    main()
