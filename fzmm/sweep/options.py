"""What a sweep is asked for, from the command line to the executors."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fzmm.errors import UserError
from fzmm.sweep.pins import check_pins, pinned_device
from fzmm.sweep.planned_run import PlannedRun, plan_runs

# An iteration on a CPU takes seconds, a checkpoint on a network drive tens of them.
GRACE_SECONDS = 120.0
# Of the schedule, to look for a learning rate: with the recipe's 26 passes both decays still come.
RATE_BUDGET = 0.25


@dataclass(frozen=True)
class SweepOptions:
    """The options of a sweep.

    Attributes:
        configs: Config files.
        seeds: Repeats of each config.
        root: Folder of the run directories.
        executor: Name of what runs the trainings, as registered in ``EXECUTORS``.
        gpus_per_run: GPUs of each run; None for as many as the config's schedule is made for, where
            the machine has them.
        nodes: Machines of each run, which share its GPUs equally.
        runs_at_once: Trainings at a time on a machine without GPUs; they share its cores.
        budget: Share of the schedule to run, in (0, 1].
        retries: How often a failed run is tried again in this call.
        arguments: Further arguments of ``fzmm train``.
        grace: Seconds that a training gets to save and end when the sweep is stopped.
        wait: Watch detached runs until they end; otherwise return when they are queued.
        redo: Train runs anew that were trained with other options or another config.
        executor_options: The executor's own, by name (``{"partition": "gpu"}``).
        pins: Kind of device by data amount, whose runs are trained on no other.
        command: What to run in place of ``python -m fzmm.commands.train``.

    Raises:
        UserError: If a number is out of its range.
    """

    configs: Sequence[str | os.PathLike]
    seeds: Sequence[int] = (0,)
    root: str | os.PathLike = "work_dirs"
    executor: str = "local"
    gpus_per_run: int | None = None
    nodes: int = 1
    runs_at_once: int = 1
    budget: float = 1.0
    retries: int = 1
    arguments: Sequence[str] = ()
    grace: float = GRACE_SECONDS
    wait: bool = True
    redo: bool = False
    executor_options: Mapping[str, Any] = field(default_factory=dict)
    pins: Mapping[str, str] = field(default_factory=dict)
    command: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.budget <= 1:
            raise UserError(
                f"--budget {self.budget:g}: a share of the schedule, above 0 and at most 1"
            )
        if self.retries < 0:
            raise UserError(f"--retries {self.retries}: 0 or more")
        if self.runs_at_once < 1:
            raise UserError(f"--runs-at-once {self.runs_at_once}: 1 or more")
        if self.gpus_per_run is not None and self.gpus_per_run < 1:
            raise UserError(f"--gpus-per-run {self.gpus_per_run}: 1 or more")
        self._check_nodes()
        if not 0 <= self.grace < math.inf:
            raise UserError(f"--grace {self.grace:g}: seconds, 0 or more")
        for name, value in self.executor_options.items():
            if type(value) is int and value < 1:
                option = f"--{self.executor}-{name.replace('_', '-')}"
                raise UserError(f"{option} {value}: 1 or more")

    def _check_nodes(self) -> None:
        if self.nodes < 1:
            raise UserError(f"--nodes {self.nodes}: 1 or more")
        if self.nodes > 1 and self.one_machine:
            raise UserError(
                f"--nodes {self.nodes}: this is one machine; needs --executor ray or slurm"
            )
        if self.gpus_per_run and self.gpus_per_run % self.nodes:
            raise UserError(
                f"--gpus-per-run {self.gpus_per_run}: no multiple of {self.nodes} nodes"
            )

    @property
    def one_machine(self) -> bool:
        """Whether the trainings are this machine's."""
        return self.executor == "local"

    @property
    def training_arguments(self) -> list[str]:
        """Arguments of ``fzmm train``, the sweep's own options among them."""
        budget = ["--budget", f"{self.budget:g}"] if self.budget != 1 else []
        return [*budget, *self.arguments]

    def plan(self) -> list[PlannedRun]:
        """Return the runs, in the order in which they are trained.

        Raises:
            UserError: As :func:`plan_runs` and :func:`check_pins`.
        """
        runs = plan_runs(self.configs, self.seeds, self.root)
        check_pins(self.pins, [run.config for run in runs], self.one_machine)
        return runs

    def device_of(self, run: PlannedRun) -> str | None:
        """Return the kind of device that a run is pinned to, or None."""
        return pinned_device(run.config, self.pins)
