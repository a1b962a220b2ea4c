"""``torchrun``, ending with its processes' exit code.

    python -m fzmm.engine.runner.torchrun ARGUMENTS

A launcher can so tell a training that was told to stop and has saved (75), or a user's mistake (2),
from a crash (1). The arguments are those of ``torchrun``.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main as torchrun


def main() -> None:
    """Run ``torchrun`` and exit with what its processes noted, if they noted anything."""
    with tempfile.TemporaryDirectory() as folder:
        noted = Path(folder, "exit_code")
        os.environ["FZMM_EXIT_CODE_FILE"] = str(noted)
        try:
            torchrun()
        except (ChildFailedError, SignalException):
            if noted.exists():
                raise SystemExit(int(noted.read_text())) from None
            raise


if __name__ == "__main__":
    main()
