"""``torchrun``, ending with its processes' exit code.

    python -m fzmm.engine.runner.torchrun ARGUMENTS

A launcher can so tell a training that was told to stop and has saved (75), or a user's mistake (2),
from a crash (1). The arguments are those of ``torchrun``.
"""

from __future__ import annotations

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main as torchrun

from fzmm.exit_codes import PREEMPTED_EXIT_CODE, USER_ERROR


def main() -> None:
    """Run ``torchrun``; exit with 2 or 75 if one of its processes did."""
    try:
        torchrun()
    except ChildFailedError as error:
        codes = {failure.exitcode for failure in error.failures.values()}
        for code in (USER_ERROR, PREEMPTED_EXIT_CODE):
            if code in codes:
                raise SystemExit(code) from None
        raise
    except SignalException:  # torchrun was told to stop, and has passed it on
        raise SystemExit(PREEMPTED_EXIT_CODE) from None


if __name__ == "__main__":
    main()
