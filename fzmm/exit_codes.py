"""Exit codes of the tools, for launchers that must tell them apart."""

from __future__ import annotations

import os
from pathlib import Path

USER_ERROR = 2
# EX_TEMPFAIL of sysexits.h: the run was told to stop (SIGTERM) and has saved a checkpoint, so that
# calling it again with --resume continues it. A launcher must not count it as a failure.
PREEMPTED_EXIT_CODE = 75

_FILE = "FZMM_EXIT_CODE_FILE"


def note_exit_code(code: int) -> None:
    """Tell ``fzmm.engine.runner.torchrun``, where there is one, what this process ends with.

    ``torch.distributed.run`` itself ends with 1 whatever its processes end with.
    """
    if _FILE in os.environ:
        Path(os.environ[_FILE]).write_text(str(code))
