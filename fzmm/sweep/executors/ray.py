"""Running attempts on the machines of a Ray cluster: those where ``ray start`` was called."""

from __future__ import annotations

import argparse
import atexit
import logging
import operator
import os
import socket
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fzmm.errors import UserError
from fzmm.exit_codes import USER_ERROR
from fzmm.paths import ROOT
from fzmm.run_lock import RunLock
from fzmm.sweep.executors import EXECUTORS
from fzmm.sweep.executors.base import Executor
from fzmm.sweep.executors.ray_attempt import RayAttempt
from fzmm.sweep.executors.ray_node import RayFollower
from fzmm.sweep.executors.ray_others import LOST
from fzmm.sweep.executors.ray_run import RayRun
from fzmm.sweep.executors.same_data import data_identity
from fzmm.sweep.options import SweepOptions
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.run_dir.state import State
from fzmm.sweep.training.attempt import AttemptEnd
from fzmm.utils.files import atomic_write

MARKER_FOLDER = ".ray"
WAITS = "ray: waits for a node"
WAITS_FOR_SEVERAL = "ray: waits for {} nodes"
PIN = 0.001  # of a resource that says what a node is; Ray asks as little for its own


@EXECUTORS.register_module("ray")
class RayExecutor(Executor):
    """Gives each run to a node with room for it; what is on a node that is lost goes to another.

    A run over several nodes gets all of them at once, each with its share of the GPUs.
    ``options.executor_options`` may hold ``address`` of the head (by default the cluster that this
    machine belongs to), ``cpus_per_run`` for clusters without GPUs, and ``collect`` for nodes that
    do not share the folder of the run directories: these are copied back from them.

    Args:
        options: The sweep's.
        schedule_gpus: GPUs of each run that its schedule is made for.

    Raises:
        UserError: If there is no Ray or no cluster, no node is large enough for a run, or a node
            has another folder where the run directories are and ``collect`` is not set.
    """

    def __init__(self, options: SweepOptions, schedule_gpus: int = 1) -> None:
        super().__init__(options, schedule_gpus)
        self._collect = bool(options.executor_options.get("collect"))
        if self._collect and options.nodes > 1:
            raise UserError(
                f"--collect: the {options.nodes} nodes of a run must share its directory; leave "
                "out --collect, or --nodes"
            )
        self._ray = _connect(options.executor_options.get("address"))
        largest = max((node["Resources"].get("GPU", 0) for node in self._nodes()), default=0)
        asked = options.gpus_per_run or min(schedule_gpus, largest * options.nodes)
        self._per_node = int(asked // options.nodes) or 1
        self.processes = self._per_node * options.nodes
        cpus = options.executor_options.get("cpus_per_run", 1)
        self._resources = dict(num_cpus=cpus, num_gpus=self._per_node if largest else 0)
        self._check_size(self._nodes())
        # Found once: a pinned run waits for a node where the last of its kind is lost.
        self._pins = {device: self._resource_of(device) for device in options.pins.values()}
        for resource in self._pins.values():
            self._check_size([node for node in self._nodes() if resource in node["Resources"]])
        self._marker = _write_marker(Path(options.root))
        if not self._collect:
            self._check_folder()
        self._active: dict[PlannedRun, RayAttempt] = {}

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
            "--collect",
            dest="ray_collect",
            action="store_true",
            help="Copy logs, records and the best and last checkpoints back from machines that "
            "share no folder with this one.",
        )
        group.add_argument(
            "--ray-cpus-per-run",
            type=int,
            metavar="N",
            help="Cores of each run, on each of its nodes (default: 1).",
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
        lock = RunLock(run.work_dir) if self._collect else None
        if lock and not lock.acquire({"host": socket.gethostname(), "where": WAITS}):
            return  # another sweep trains it
        device = self.options.device_of(run)
        pin = {self._pins[device]: PIN} if device else {}
        group = self._group(pin) if self.options.nodes > 1 else None
        identity = data_identity(run.config) if self._collect else None
        arguments = (run, self.options, self._per_node, os.getcwd(), self._marker, identity)
        actors = [
            self._ray.remote(RayFollower if index else RayRun)
            .options(**self._resources, resources=pin, **_place_in(group, index))
            .remote(*arguments)
            for index in range(self.options.nodes)
        ]
        self._active[run] = RayAttempt(self._ray, run, actors, lock, group)

    def _group(self, pin: dict[str, float]) -> Any:
        """Return room for one run on several nodes, which Ray gives all at once or not yet."""
        needs = dict(CPU=self._resources["num_cpus"], GPU=self._resources["num_gpus"], **pin)
        bundle = {name: amount for name, amount in needs.items() if amount}
        bundles = [bundle] * self.options.nodes
        return self._ray.util.placement_group(bundles, strategy="STRICT_SPREAD")

    def poll(self) -> list[tuple[PlannedRun, AttemptEnd]]:
        """Return the attempts that have ended since the last call."""
        ended = []
        for run, attempt in list(self._active.items()):
            if (end := self._poll(attempt)) is None:
                continue
            del self._active[run]
            attempt.close()
            if end:  # else it is trained by another sweep, or finished
                ended.append((run, end))
        return ended

    def describe(self, run: PlannedRun) -> str:
        """Return that a run waits for a node; empty once it trains."""
        attempt, nodes = self._active.get(run), self.options.nodes
        waits = WAITS_FOR_SEVERAL.format(nodes) if nodes > 1 else WAITS
        return waits if attempt and attempt.place is None else ""

    def stop(self) -> None:
        """Tell every training to save and end; returns at once."""
        for run, attempt in list(self._active.items()):
            if attempt.place is None:
                attempt.close()
                del self._active[run]
            else:
                attempt.stop()

    def kill(self) -> None:
        """End everything now: the kernel tells the trainings, which may still save."""
        for attempt in self._active.values():
            attempt.close()
        self._active = {}

    def _poll(self, attempt: RayAttempt) -> AttemptEnd | None | bool:
        errors = self._ray.exceptions
        try:
            return attempt.poll()
        except (errors.RayActorError, errors.RayTaskError) as error:
            if mistake := _user_error_in(error):
                return AttemptEnd(State.FAILED, USER_ERROR, mistake)
            if isinstance(error, errors.RayTaskError):
                raise
            # of several, the one that leads the run may be any
            lost = LOST if self.options.nodes > 1 else "its node was lost"
            return AttemptEnd(State.INTERRUPTED, error=lost)

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
        wanted = {name: self._resources[f"num_{name.lower()}s"] for name in options}
        there = [[node["Resources"].get(name, 0) for name in wanted] for node in nodes]
        for index, (name, amount) in enumerate(wanted.items()):
            largest = max((has[index] for has in there), default=0)
            if amount > largest:
                on_each = " on each node" if self.options.nodes > 1 else ""
                raise UserError(
                    f"{options[name]} {amount}{on_each}: the largest node that may take it has "
                    f"{largest:g}; ask for as many"
                )

        asked = list(wanted.values())
        fit = sum(all(map(operator.ge, has, asked)) for has in there)
        if fit < self.options.nodes:
            raise UserError(
                f"--nodes {self.options.nodes}: {fit} of the cluster's can take a share of a run; "
                "start more with `ray start --address=HOST:PORT`"
            )

    def _check_folder(self) -> None:
        """Refuse a cluster in which a node does not share the folder of the run directories."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        sees = self._ray.remote(num_cpus=0)(os.path.isfile)
        nodes, answers = self._nodes(), []
        for node in nodes:  # all at once: each starts a process there, which takes seconds
            here = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            answers.append(sees.options(scheduling_strategy=here).remote(self._marker))
        for node, answer in zip(nodes, answers, strict=True):
            try:
                shared = self._ray.get(answer)
            except self._ray.exceptions.RayError:  # it has just gone: nothing will run on it
                continue
            if not shared:
                raise UserError(
                    f"{Path(self._marker).parents[1]}: is not the same folder on "
                    f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']}); give a "
                    "--work-dir on storage that all nodes share, or --collect"
                )


def _place_in(group: Any, index: int) -> dict[str, Any]:
    """Return the option of an actor that has its place in a placement group, if there is one."""
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    if group is None:
        return {}
    strategy = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=index)
    return {"scheduling_strategy": strategy}


def _connect(address: str | None) -> Any:
    try:
        import ray
    except ImportError:
        raise UserError("--executor ray needs Ray: pip install 'fzmm[ray]'") from None

    if address:
        _check_address(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    variables = {
        "PYTHONPATH": paths,
        # Ray would kill a training with the process that watches it; told by the kernel, it saves.
        "RAY_kill_child_processes_on_worker_exit": "0",
    }

    try:
        ray.init(
            address=address or "auto",
            ignore_reinit_error=True,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": variables},
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"--executor ray: {reason}; start one with `ray start --head`, name it with "
            "--ray-address, or set RAY_AUTH_MODE=token here if it asks for a token"
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


def _user_error_in(error: Exception) -> str | None:
    """Return the text of a mistake with which an actor ended before it trained."""
    for line in str(error).splitlines():
        if "UserError: " in line:
            return line.partition("UserError: ")[2].strip()
    return None
