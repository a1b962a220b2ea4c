"""The command line that trains one run."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from fzmm.errors import UserError
from fzmm.sweep.runs import Run

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"
BASES = ROOT / "configs" / "_base_"


def training_command(
    run: Run,
    processes: int = 1,
    arguments: Sequence[str] = (),
    command: Sequence[str] | None = None,
) -> list[str]:
    """Return the argument list that trains a run from where it stands.

    Args:
        run: The run.
        processes: One a GPU; more than one go through torchrun (``tools/dist_train.sh``).
        arguments: Further arguments of ``tools/train.py``; they end the command.
        command: What to run in place of ``python tools/train.py``.

    Raises:
        UserError: If fzmm is installed without its ``tools`` folder.
    """
    if command is None and not (TOOLS / "train.py").is_file():
        raise UserError(f"{TOOLS}/train.py is missing; run sweeps from a clone of the repository")
    options = ["--work-dir", str(run.work_dir), "--seed", str(run.seed), "--resume"]
    if processes > 1:
        head = ["bash", str(TOOLS / "dist_train.sh"), str(run.config), str(processes)]
    else:
        head = [*(command or [sys.executable, str(TOOLS / "train.py")]), str(run.config)]
    return [*head, *options, *arguments]


def training_environment() -> dict[str, str]:
    """Return this process's environment, with this fzmm and this Python for the training."""
    environment = dict(os.environ)
    paths = [str(ROOT), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    environment["PYTHON"] = sys.executable  # tools/launch.sh
    environment["PYTHONUNBUFFERED"] = "1"
    # Threads that wait by spinning make a training several times slower as soon as anything else
    # runs on the machine; those that sleep cost an idle machine next to nothing.
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return environment
