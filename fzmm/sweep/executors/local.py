"""Running attempts on this machine: one a GPU or group of GPUs, on a CPU one a share of cores."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from fzmm.errors import UserError
from fzmm.sweep.executors import EXECUTORS
from fzmm.sweep.executors.base import Executor
from fzmm.sweep.options import SweepOptions
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.training.attempt import Attempt, AttemptEnd
from fzmm.sweep.training.training_command import training_command, training_environment


@EXECUTORS.register_module("local")
class LocalExecutor(Executor):
    """Starts attempts in processes of this machine, which end with the sweep.

    Without GPUs ``runs_at_once`` trainings share the cores. Much of a small training is not
    parallel: two of one thread end before two of two threads, one after the other.

    Args:
        options: The sweep's.
        schedule_gpus: GPUs of each run that its schedule is made for.
        gpus: Ids for ``CUDA_VISIBLE_DEVICES``, empty for none; by default what the machine shows.
    """

    def __init__(
        self, options: SweepOptions, schedule_gpus: int = 1, gpus: Sequence[str] | None = None
    ) -> None:
        super().__init__(options, schedule_gpus)
        gpus = visible_gpus() if gpus is None else list(gpus)
        at_once = options.runs_at_once
        if gpus and (options.gpus_per_run or 1) > len(gpus):
            raise UserError(
                f"--gpus-per-run {options.gpus_per_run}: this machine shows {len(gpus)}; "
                "ask for as many"
            )
        if gpus and at_once > 1:
            raise UserError(
                f"--runs-at-once {at_once}: this machine has GPUs, and each takes one run; "
                "leave the option out"
            )

        self.processes = size = min(self.processes, len(gpus)) or 1
        self._slots = [gpus[i : i + size] for i in range(0, len(gpus) - size + 1, size)]
        self._slots = self._slots or [[] for _ in range(at_once)]
        self._threads = threads_each(at_once)
        self._active: dict[PlannedRun, tuple[Attempt, list[str]]] = {}

    @property
    def active(self) -> list[PlannedRun]:
        """Runs that it is training."""
        return list(self._active)

    def has_room(self) -> bool:
        """Whether a GPU, or a share of the cores, is free."""
        return bool(self._slots)

    def start(self, run: PlannedRun) -> None:
        """Start an attempt; ``poll`` tells how it ended."""
        gpus = self._slots[0]
        environment, where = training_environment(), socket.gethostname()
        if gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
            where += f" gpu {','.join(gpus)}"
        if self._threads:
            environment.setdefault("OMP_NUM_THREADS", str(self._threads))

        arguments = self.options.training_arguments
        command = training_command(run, self.processes, arguments, self.options.command)
        attempt = Attempt(run, command, arguments, where, self.options.grace)
        if attempt.start(environment):
            self._active[run] = (attempt, self._slots.pop(0))

    def poll(self) -> list[tuple[PlannedRun, AttemptEnd]]:
        """Return the attempts that have ended since the last call."""
        ended = []
        for run, (attempt, gpus) in list(self._active.items()):
            if (end := attempt.poll()) is not None:
                del self._active[run]
                self._slots.insert(0, gpus)
                ended.append((run, end))
        return ended

    def stop(self) -> None:
        """Tell every training to save and end; returns at once."""
        for attempt, _ in self._active.values():
            attempt.stop()

    def kill(self) -> None:
        """End everything now; what was trained since the last checkpoints is lost."""
        for attempt, _ in self._active.values():
            attempt.kill()
        self.poll()


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_each(at_once: int) -> int | None:
    """Return the threads of each of several trainings that share the cores, None for one alone."""
    return max(1, available_cores() // at_once) if at_once > 1 else None


def visible_gpus() -> list[str]:
    """Return the ids that ``CUDA_VISIBLE_DEVICES`` may name on this machine; empty without GPUs."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    import torch

    count = torch.cuda.device_count()
    if named:
        return [name.strip() for name in named.split(",") if name.strip()][:count]
    return [str(index) for index in range(count)]
