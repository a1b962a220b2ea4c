"""Running attempts on the machines of a Ray cluster: those where ``ray start`` was called."""

from __future__ import annotations

import argparse
import atexit
import logging
import os
import socket
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fzmm.errors import UserError
from fzmm.exit_codes import USER_ERROR
from fzmm.paths import ROOT
from fzmm.sweep.executors import EXECUTORS
from fzmm.sweep.executors.base import Executor
from fzmm.sweep.options import SweepOptions
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.run_dir.state import State, read_status
from fzmm.sweep.training.attempt import Attempt, AttemptEnd
from fzmm.sweep.training.training_command import training_command, training_environment
from fzmm.utils.files import atomic_write

MARKER_FOLDER = ".ray"
PIN = 0.001  # of a resource that says what a node is; Ray asks as little for its own
_WATCH_SECONDS = 1.0  # a call to an actor; it cannot be told to stop for as long


class RayRun:
    """One attempt, in a process of the node that Ray has chosen.

    Args:
        run: The run.
        options: The sweep's.
        processes: Of the run, one a GPU.
        folder: Where the sweep was called; paths are relative to it.
        marker: File of the sweep in the folder of the run directories.
    """

    def __init__(
        self, run: PlannedRun, options: SweepOptions, processes: int, folder: str, marker: str
    ) -> None:
        _enter(folder, marker)
        environment = training_environment()
        gpus = environment.get("CUDA_VISIBLE_DEVICES")
        where = f"ray {socket.gethostname()}" + (f" gpu {gpus}" if gpus else "")
        if not gpus:
            cores = options.executor_options.get("cpus_per_run", 1)
            environment.setdefault("OMP_NUM_THREADS", str(cores))
        arguments = options.training_arguments
        command = training_command(run, processes, arguments, options.command)
        self._attempt = Attempt(run, command, arguments, where, options.grace)
        self._trains = self._attempt.start(environment)

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


@EXECUTORS.register_module("ray")
class RayExecutor(Executor):
    """Gives each run to a node with room for it; what is on a node that is lost goes to another.

    ``options.executor_options`` may hold ``address`` of the head (by default the cluster that this
    machine belongs to) and ``cpus_per_run`` for clusters without GPUs.

    Args:
        options: The sweep's.
        schedule_gpus: GPUs of each run that its schedule is made for.

    Raises:
        UserError: If there is no Ray or no cluster, no node is large enough for a run, or a node
            has another folder where the run directories are.
    """

    def __init__(self, options: SweepOptions, schedule_gpus: int = 1) -> None:
        super().__init__(options, schedule_gpus)
        self._ray = _connect(options.executor_options.get("address"))
        largest = max((node["Resources"].get("GPU", 0) for node in self._nodes()), default=0)
        self.processes = options.gpus_per_run or int(min(schedule_gpus, largest)) or 1
        cpus = options.executor_options.get("cpus_per_run", 1)
        self._resources = dict(num_cpus=cpus, num_gpus=self.processes if largest else 0)
        self._check_size(self._nodes())
        for device in options.pins.values():
            resource = self._resource_of(device)
            self._check_size([node for node in self._nodes() if resource in node["Resources"]])
        self._marker = _write_marker(Path(options.root))
        self._check_folder()
        self._active: dict[PlannedRun, tuple[Any, Any]] = {}

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Add the ``--ray-*`` options."""
        group = parser.add_argument_group("ray", "On machines without Slurm; see docs/cluster.md.")
        group.add_argument(
            "--ray-address",
            metavar="HOST:PORT",
            help="Address of the head (default: the cluster that this machine belongs to).",
        )
        group.add_argument(
            "--ray-cpus-per-run", type=int, metavar="N", help="Cores of each run (default: 1)."
        )

    @property
    def active(self) -> list[PlannedRun]:
        """Runs that train, or wait for a node."""
        return list(self._active)

    def has_room(self) -> bool:
        """Ray's queue always has."""
        return True

    def start(self, run: PlannedRun) -> None:
        """Ask Ray for a node; ``poll`` tells how the attempt ended."""
        device = self.options.device_of(run)
        pin = {self._resource_of(device): PIN} if device else {}
        actor_class = self._ray.remote(RayRun).options(**self._resources, resources=pin)
        actor = actor_class.remote(run, self.options, self.processes, os.getcwd(), self._marker)
        self._active[run] = (actor, actor.watch.remote())

    def poll(self) -> list[tuple[PlannedRun, AttemptEnd]]:
        """Return the attempts that have ended since the last call."""
        ended = []
        for run, (actor, watch) in list(self._active.items()):
            if not self._ray.wait([watch], timeout=0)[0]:
                continue
            end = self._result(watch)
            if end is None:
                self._active[run] = (actor, actor.watch.remote())
                continue
            del self._active[run]
            self._ray.kill(actor)
            if end:  # else it is trained by another sweep, or finished
                ended.append((run, end))
        return ended

    def describe(self, run: PlannedRun) -> str:
        """Return that a run waits for a node; empty once it trains."""
        waits = run in self._active and read_status(run).state is not State.RUNNING
        return "ray: waits for a node" if waits else ""

    def stop(self) -> None:
        """Tell every training to save and end; returns at once."""
        for run, (actor, _) in list(self._active.items()):
            if read_status(run).state is State.RUNNING:
                actor.stop.remote()
            else:
                self._ray.kill(actor)
                del self._active[run]

    def kill(self) -> None:
        """End everything now: the kernel tells the trainings, which may still save."""
        for actor, _ in self._active.values():
            self._ray.kill(actor)
        self._active = {}

    def _result(self, watch: Any) -> AttemptEnd | None | bool:
        try:
            return self._ray.get(watch)
        except self._ray.exceptions.RayActorError as error:
            if mistake := _user_error_in(error):
                return AttemptEnd(State.FAILED, USER_ERROR, mistake)
            return AttemptEnd(State.INTERRUPTED, error="its node was lost")

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _resource_of(self, device: str) -> str:
        """Return the resource that nodes with a device have: their owner's, or Ray's own for it.

        Raises:
            UserError: If no node has it.
        """
        has = {name for node in self._nodes() for name in node["Resources"]}
        for name in (device, f"accelerator_type:{device}"):
            if name in has:
                return name
        usual = ("node:", "object_store", "memory", "CPU", "GPU")
        custom = sorted(name for name in has if not name.startswith(usual)) or ["none"]
        raise UserError(
            f"--pin: no node has {device}; start its nodes with `ray start --resources "
            f"'{{\"{device}\": 1}}'`; there are {', '.join(custom)}"
        )

    def _check_size(self, nodes: Sequence[dict[str, Any]]) -> None:
        """Refuse runs that are too large for each of some nodes, one of which is to take them."""
        options = {"GPU": "--gpus-per-run", "CPU": "--ray-cpus-per-run"}
        for name, option in options.items():
            wanted = self._resources[f"num_{name.lower()}s"]
            largest = max((node["Resources"].get(name, 0) for node in nodes), default=0)
            if wanted > largest:
                raise UserError(
                    f"{option} {wanted}: the largest node that may take it has {largest:g}; "
                    "ask for as many"
                )

    def _check_folder(self) -> None:
        """Refuse a cluster in which a node does not share the folder of the run directories."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        sees = self._ray.remote(num_cpus=0)(os.path.isfile)
        for node in self._nodes():
            here = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            try:
                shared = self._ray.get(sees.options(scheduling_strategy=here).remote(self._marker))
            except self._ray.exceptions.RayError:  # it has just gone: nothing will run on it
                continue
            if not shared:
                raise UserError(
                    f"{Path(self._marker).parents[1]}: is not the same folder on "
                    f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']}); give a "
                    "--work-dir on storage that all nodes share"
                )


def _connect(address: str | None) -> Any:
    try:
        import ray
    except ImportError:
        raise UserError("--executor ray needs Ray: pip install 'fzmm[ray]'") from None

    if address:
        _check_address(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))

    try:
        ray.init(
            address=address or "auto",
            ignore_reinit_error=True,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": {"PYTHONPATH": paths}},
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"--executor ray: {reason}; start one with `ray start --head`, or name it with "
            "--ray-address"
        ) from None

    return ray


def _check_address(address: str) -> None:
    """Refuse an address where nobody listens, which Ray itself would ask for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError, OverflowError) as error:
        raise UserError(
            f"--ray-address {address}: {error}; give HOST:PORT of a head, which "
            "`ray start --head --port=6379` starts"
        ) from None


def _write_marker(root: Path) -> str:
    folder = root.resolve() / MARKER_FOLDER
    marker = folder / f"sweep-{uuid.uuid4().hex}"
    atexit.register(marker.unlink, missing_ok=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(marker) as file:
            file.write(f"{socket.gethostname()} pid {os.getpid()}\n")
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}; check the folder and its room") from None
    return str(marker)


def _enter(folder: str, marker: str) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        raise UserError(f"{socket.gethostname()}: {folder}: {error.strerror}") from None
    if not os.path.isfile(marker):  # a node that has come since the sweep began
        raise UserError(
            f"{socket.gethostname()}: {Path(marker).parents[1]} is not the folder of the sweep"
        )


def _user_error_in(error: Exception) -> str | None:
    """Return the text of a mistake with which an actor ended before it trained."""
    for line in str(error).splitlines():
        if "UserError: " in line:
            return line.partition("UserError: ")[2].strip()
    return None
