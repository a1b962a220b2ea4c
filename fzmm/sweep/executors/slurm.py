"""Running attempts as jobs of a Slurm cluster, through submitit."""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fzmm.errors import UserError
from fzmm.paths import ROOT
from fzmm.run_lock import lock_holder
from fzmm.sweep.executors import EXECUTORS
from fzmm.sweep.executors.base import Executor
from fzmm.sweep.executors.slurm_job import SlurmJob
from fzmm.sweep.options import SweepOptions
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.run_dir.record import note_queued_job, queued_job, read_record
from fzmm.sweep.run_dir.state import State, read_status
from fzmm.sweep.training.attempt import AttemptEnd

# A training of days on a partition of hours is requeued at every time limit.
MAX_TIMEOUTS = 1000
POLL_SECONDS = 3.0
WARNING_SECONDS = 90


@EXECUTORS.register_module("slurm")
class SlurmExecutor(Executor):
    """Submits runs as job arrays and follows them; job files go to ``<root>/.slurm``.

    ``options.executor_options`` are submitit's Slurm parameters (``partition``, ``time`` ...);
    ``cpu=True`` asks for no GPU, ``option=["KEY=VALUE"]`` is any other of sbatch's.

    Args:
        options: The sweep's; ``gpus_per_run`` counts over all nodes of a run.
        schedule_gpus: GPUs of each run that its schedule is made for.

    Raises:
        UserError: If submitit or Slurm is missing or an option does not fit.
    """

    detached = True  # jobs go on without the sweep

    def __init__(self, options: SweepOptions, schedule_gpus: int = 1) -> None:
        super().__init__(options, schedule_gpus)
        asked = {"nodes": options.nodes, **options.executor_options}
        parameters = _parameters(asked, self.processes)
        self._grace = min(options.grace, max(5, parameters["signal_delay_s"] - 10))
        self._submitit = _make_submitit(Path(options.root), parameters)
        self._constraint = parameters.get("constraint")
        self._held_back: list[PlannedRun] = []
        self._jobs: dict[PlannedRun, str] = {}
        self._queue: dict[str, str] = {}
        self._asked = 0.0

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Add the ``--slurm-*`` options."""
        group = parser.add_argument_group(
            "slurm", "These are passed on to sbatch; see docs/cluster.md."
        )
        group.add_argument("--slurm-partition", help="Partition of the jobs.")
        group.add_argument("--slurm-account", help="Account that pays for them.")
        group.add_argument("--slurm-qos", help="Their quality of service.")
        group.add_argument("--slurm-time", type=int, metavar="MINUTES", help="Time limit of a job.")
        group.add_argument("--slurm-cpus-per-task", type=int, help="Cores of each process.")
        group.add_argument("--slurm-mem", help="Memory of each node, such as 64G.")

        group.add_argument("--slurm-constraint", help="Features that the nodes must have.")
        group.add_argument(
            "--slurm-array-parallelism", type=int, help="How many jobs may run at once."
        )
        group.add_argument(
            "--slurm-signal-delay-s",
            type=int,
            help="Seconds before the time limit at which a training is told to save.",
        )
        group.add_argument(
            "--slurm-setup", nargs="+", help="Shell lines to run before each training."
        )
        group.add_argument(
            "--slurm-cpu", action="store_true", help="Ask for no GPU, as the tests do."
        )
        group.add_argument(
            "--slurm-option", nargs="+", metavar="KEY=VALUE", help="Any other options of sbatch."
        )

    @property
    def active(self) -> list[PlannedRun]:
        """Runs that have a job."""
        return [*self._jobs, *self._held_back]

    def has_room(self) -> bool:
        """Slurm's queue always has."""
        return True

    def start(self, run: PlannedRun) -> None:
        """Take a run into the next array, unless an earlier sweep's job for it is still there."""
        job = queued_job(run.work_dir)
        if job is not None and job in self._ask():
            self._jobs[run] = job
        else:
            self._held_back.append(run)

    def flush(self) -> None:
        """Submit what was started: an array for each kind of device that runs are pinned to."""
        while self._held_back:
            device = self.options.device_of(self._held_back[0])
            runs = [run for run in self._held_back if self.options.device_of(run) == device]
            self._submit(device, runs)
            self._held_back = [run for run in self._held_back if run not in runs]
            self._asked = 0.0

    def _submit(self, device: str | None, runs: Sequence[PlannedRun]) -> None:
        # jobs start in the folder that they are submitted from, so relative paths hold
        calls = [SlurmJob(run, self.options, self._grace) for run in runs]
        # Slurm's "&" asks for nodes that have every feature.
        constraint = "&".join(filter(None, [self._constraint, device]))
        self._submitit.update_parameters(constraint=constraint or None)

        try:
            with self._submitit.batch():
                jobs = [self._submitit.submit(call) for call in calls]
        except Exception as error:  # submitit's own, with sbatch's words in it
            lines = [line for line in str(error).splitlines() if line.strip()]
            raise UserError(f"sbatch: {lines[-1] if lines else error}") from None

        for run, job in zip(runs, jobs, strict=True):
            self._jobs[run] = job.job_id
            note_queued_job(run.work_dir, job.job_id)

    def poll(self) -> list[tuple[PlannedRun, AttemptEnd]]:
        """Return the runs whose job has left the queue."""
        if time.monotonic() - self._asked < POLL_SECONDS:
            return []
        queue = self._ask()
        ended = []
        for run, job in list(self._jobs.items()):
            if job not in queue and lock_holder(run.work_dir) is None:
                del self._jobs[run]
                ended.append((run, self._end_of(run, job)))
        return ended

    def describe(self, run: PlannedRun) -> str:
        """Return where a run waits, as ``squeue`` says; empty once it trains."""
        job = self._jobs.get(run)
        if job is None or job not in self._queue or read_status(run).state is State.RUNNING:
            return ""
        return f"slurm {job} {self._queue[job]}"

    def going_on(self) -> str:
        """Return what to say of the jobs that are left to Slurm."""
        arrays = sorted({job.split("_")[0] for job in self._jobs.values()})
        if not arrays:
            return ""
        return f"; its jobs go on (--status shows them, scancel {' '.join(arrays)} ends them)"

    def _ask(self) -> dict[str, str]:
        """Return state and reason of the user's queued and running jobs, by id."""
        result = subprocess.run(
            ["squeue", "--noheader", "--array", "--me", "--format=%i|%T|%r"],
            capture_output=True,
            text=True,
        )
        if result.returncode == 0:  # else the controller is busy: the last answer still holds
            self._asked = time.monotonic()
            rows = (line.strip().split("|", 2) for line in result.stdout.splitlines())
            self._queue = {
                row[0]: row[1] + (f" ({row[2]})" if row[2] != "None" else "")
                for row in rows
                if len(row) == 3 and row[1] not in ("COMPLETED", "FAILED", "CANCELLED")
            }

        return self._queue

    def _end_of(self, run: PlannedRun, job: str) -> AttemptEnd:
        attempts = read_record(run.work_dir)["attempts"]
        if not attempts:
            return AttemptEnd(State.FAILED, error=self._last_words(job))
        last = attempts[-1]
        failed = last.get("outcome") == State.FAILED
        outcome = State.FAILED if failed else State.INTERRUPTED
        return AttemptEnd(outcome, last.get("exit_code"), last.get("error"))

    def _last_words(self, job: str) -> str:
        """Return the last line of a job that never got as far as its run."""
        logs = sorted(Path(self._submitit.folder).glob(f"{job}_*_log.err"))
        lines = [line for log in logs for line in log.read_text(errors="replace").splitlines()]
        return lines[-1] if lines else "its job ended without a word"


def _parameters(options: dict[str, Any], processes: int) -> dict[str, Any]:
    """Return submitit's parameters for the options of a sweep."""
    nodes = options["nodes"]
    if processes % nodes:
        raise UserError(f"--gpus-per-run {processes}: no multiple of {nodes} nodes")
    per_node = processes // nodes
    if not options.pop("cpu", False):
        options.setdefault("gpus_per_node", per_node)
    others = dict(pair.partition("=")[::2] for pair in options.pop("option", []))

    options["setup"] = [f"export PYTHONPATH={ROOT}:$PYTHONPATH", *options.get("setup", [])]
    options["additional_parameters"] = {"requeue": True, **others}
    defaults = dict(
        ntasks_per_node=per_node,
        signal_delay_s=WARNING_SECONDS,
        time=24 * 60,
        job_name="fzmm",
        # If one task dies the others would wait for it for ever.
        srun_args=["--kill-on-bad-exit=1"],
    )

    return {**defaults, **options}


def _make_submitit(root: Path, parameters: dict[str, Any]) -> Any:
    try:
        import submitit
    except ImportError:
        raise UserError("--executor slurm needs submitit: pip install submitit") from None
    try:
        executor = submitit.SlurmExecutor(root.resolve() / ".slurm", max_num_timeout=MAX_TIMEOUTS)
        executor.update_parameters(**parameters)
    except RuntimeError as error:  # no srun
        raise UserError(f"--executor slurm: {error}") from None
    except (TypeError, ValueError) as error:
        raise UserError(f"--slurm-*: {str(error).splitlines()[0]}") from None
    return executor
