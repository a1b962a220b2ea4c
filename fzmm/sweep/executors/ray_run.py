"""One attempt at a run, in a process of the node that Ray has chosen."""

from __future__ import annotations

import os
import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fzmm.errors import UserError
from fzmm.sweep.executors import ray_files
from fzmm.sweep.executors.same_data import check_same_data
from fzmm.sweep.options import SweepOptions
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.training.attempt import Attempt, AttemptEnd
from fzmm.sweep.training.training_command import training_command, training_environment

_WATCH_SECONDS = 1.0  # a call to an actor; it cannot be told to stop for as long


@dataclass(frozen=True)
class Place:
    """Where Ray has put a run.

    Attributes:
        where: Node and GPUs, for tables.
        shares: Whether the folder of the run directories is the sweep's.
    """

    where: str
    shares: bool


class RayRun:
    """One attempt.

    Args:
        run: The run.
        options: The sweep's.
        processes: Of the run, one a GPU.
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
        _enter(folder)
        self._work_dir = run.work_dir
        self._grace = options.grace
        self._environment = environment = training_environment()
        gpus = environment.get("CUDA_VISIBLE_DEVICES")
        where = f"ray {socket.gethostname()}" + (f" gpu {gpus}" if gpus else "")
        self._place = Place(where, os.path.isfile(marker))
        if not self._place.shares:  # maybe a node that has come since the sweep began
            if identity is None:
                raise UserError(
                    f"{socket.gethostname()}: {Path(marker).parents[1]} is not the folder of the "
                    "sweep"
                )
            check_same_data(run.config, identity)
        if not gpus:
            cores = options.executor_options.get("cpus_per_run", 1)
            environment.setdefault("OMP_NUM_THREADS", str(cores))
        arguments = options.training_arguments
        command = training_command(run, processes, arguments, options.command)
        self._attempt = Attempt(run, command, arguments, where, options.grace)

    def place(self) -> Place:
        """Return where this is."""
        return self._place

    def make_room(self) -> None:
        """Empty the directory, for the sweep's copy of it."""
        ray_files.make_room(self._work_dir, self._grace)

    def write(self, name: str, piece: bytes) -> None:
        """Add a piece to a file of the directory."""
        path = self._work_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab") as file:
            file.write(piece)

    def listing(self) -> ray_files.Listing:
        """Return what is worth copying back."""
        return ray_files.listing(self._work_dir)

    def read(self, name: str, offset: int) -> bytes | None:
        """Return a piece of a file, empty at its end; None if it has gone."""
        return ray_files.read_piece(self._work_dir / name, offset)

    def remove(self) -> None:
        """Remove the directory, all of which was copied back."""
        shutil.rmtree(self._work_dir, ignore_errors=True)

    def begin(self) -> AttemptEnd | None | bool:
        """Start to train, and ``watch``."""
        self._trains = self._attempt.start(self._environment)
        return self.watch()

    def watch(self) -> AttemptEnd | None | bool:
        """Return how it ended, None after a second without an end, False if there was no start."""
        deadline = time.monotonic() + _WATCH_SECONDS
        while self._trains and (end := self._attempt.poll()) is None:
            if time.monotonic() > deadline:
                return None
            time.sleep(0.05)
        return end if self._trains else False

    def stop(self) -> None:
        """Tell the training to save and end."""
        self._attempt.stop()


def _enter(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        raise UserError(f"{socket.gethostname()}: {folder}: {error.strerror}") from None
