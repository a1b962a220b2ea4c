"""One node's part in a run, in a process there: what all nodes of it have, and what the others do.

A run over several nodes is trained by torchrun on each. The first node's process leads
(``ray_run``); the others follow: they hold no lock and write no record.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fzmm.errors import UserError
from fzmm.exit_codes import PREEMPTED_EXIT_CODE
from fzmm.sweep.executors.same_data import check_same_data
from fzmm.sweep.options import SweepOptions
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.run_dir.state import State
from fzmm.sweep.training.attempt import AttemptEnd, end_of
from fzmm.sweep.training.rendezvous import Rendezvous, network_variables
from fzmm.sweep.training.training_command import training_command, training_environment
from fzmm.sweep.training.training_process import TrainingProcess

_WATCH_SECONDS = 1.0  # a call to an actor; it cannot be told to stop for as long


@dataclass(frozen=True)
class Place:
    """Where Ray has put a run.

    Attributes:
        where: Nodes and GPUs, for tables.
        shares: Whether the folder of the run directories is the sweep's.
    """

    where: str
    shares: bool


class RayNode:
    """What every node of a run has.

    Args:
        run: The run.
        options: The sweep's.
        processes: Of the run on this node, one a GPU.
        folder: Where the sweep was called; paths are relative to it.
        marker: File of the sweep in the folder of the run directories.
        identity: ``data_identity`` there, where work directories are copied back.

    Raises:
        UserError: If the node has not what the run needs.
    """

    def __init__(
        self,
        run: PlannedRun,
        options: SweepOptions,
        processes: int,
        folder: str,
        marker: str,
        identity: dict[str, Any] | None = None,
    ) -> None:
        self._host = socket.gethostname()
        self._enter(folder)
        self._run, self._options, self._processes = run, options, processes
        self._environment = environment = training_environment()
        gpus = environment.get("CUDA_VISIBLE_DEVICES")
        where = f"ray {self._host}" + (f" gpu {gpus}" if gpus else "")
        self._place = Place(where, os.path.isfile(marker))
        if not self._place.shares:  # maybe a node that has come since the sweep began
            if identity is None:
                raise UserError(
                    f"{self._host}: {Path(marker).parents[1]} is not the folder of the sweep"
                )
            check_same_data(run.config, identity)
        if not gpus:
            cores = options.executor_options.get("cpus_per_run", 1)
            environment.setdefault("OMP_NUM_THREADS", str(cores))

    def place(self) -> Place:
        """Return where this is."""
        return self._place

    def _enter(self, folder: str) -> None:
        try:
            os.chdir(folder)
        except OSError as error:
            raise UserError(f"{self._host}: {folder}: {error.strerror}") from None

    def _command(self, rendezvous: Rendezvous | None) -> list[str]:
        if rendezvous:
            for name, value in network_variables(node_address()).items():
                self._environment.setdefault(name, value)
        arguments, command = self._options.training_arguments, self._options.command
        return training_command(self._run, self._processes, arguments, command, rendezvous)


class RayFollower(RayNode):
    """A further node of a run."""

    _training: TrainingProcess | None = None

    def begin(self, rendezvous: Rendezvous) -> AttemptEnd | None:
        """Start to train, and ``watch``."""
        self._output = self._run.work_dir / f"node{rendezvous.rank}.txt"
        self._training = TrainingProcess(self._command(rendezvous), self._options.grace)
        self._training.start(self._output, self._environment)
        return self.watch()

    def watch(self) -> AttemptEnd | None:
        """Return how it ended, None after a second without an end."""
        code = poll_for_a_second(self._training.poll)
        if code is None:
            return None
        if code == PREEMPTED_EXIT_CODE or self._training.told_to_stop:
            return AttemptEnd(State.INTERRUPTED, code)
        if code == 0:
            return AttemptEnd(State.DONE, code)
        end = end_of(code, self._output)
        return AttemptEnd(end.outcome, code, f"{self._host}: {end.error}")

    def stop(self) -> None:
        """Tell the training to save and end."""
        if self._training:
            self._training.stop()

    def kill(self) -> None:
        """End the training now: it may wait for that of a node that is lost."""
        if self._training:
            self._training.kill()


def node_address() -> str:
    """Return the address by which Ray's other nodes reach this one."""
    import ray

    return ray.util.get_node_ip_address()


def poll_for_a_second(poll: Callable[[], Any]) -> Any:
    """Return the first answer that is not None within a second, else None."""
    deadline = time.monotonic() + _WATCH_SECONDS
    while (answer := poll()) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer
