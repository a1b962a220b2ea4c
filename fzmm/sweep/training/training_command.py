"""The command line that trains one run, and the environment that it runs in."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from fzmm.paths import ROOT
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.training.rendezvous import Rendezvous

TRAIN = "fzmm.commands.train"


def training_command(
    run: PlannedRun,
    processes: int = 1,
    arguments: Sequence[str] = (),
    command: Sequence[str] | None = None,
    rendezvous: Rendezvous | None = None,
) -> list[str]:
    """Return the argument list that trains a run from where it stands.

    Args:
        run: The run.
        processes: On this machine, one a GPU; more than one go through torchrun.
        arguments: Further arguments of ``fzmm train``.
        command: What to run in place of ``python -m fzmm.commands.train``.
        rendezvous: Of a run over several nodes, which go through torchrun.
    """
    options = ["--work-dir", str(run.work_dir), "--seed", str(run.seed), "--resume"]
    if processes > 1 or rendezvous:
        meeting = rendezvous.arguments if rendezvous else ["--standalone"]
        torchrun = [sys.executable, "-m", "fzmm.engine.runner.torchrun", *meeting]
        head = [*torchrun, "--nproc_per_node", str(processes), "-m", TRAIN]
        options += ["--launcher", "pytorch"]
    else:
        head = list(command or [sys.executable, "-m", TRAIN])
    return [*head, str(run.config), *options, *arguments]


def training_environment() -> dict[str, str]:
    """Return this process's environment, with this fzmm for the training."""
    environment = dict(os.environ)
    paths = [str(ROOT), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    environment["PYTHONUNBUFFERED"] = "1"
    # Threads that wait by spinning make a training several times slower as soon as anything else
    # runs on the machine; those that sleep cost an idle machine next to nothing.
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return environment
