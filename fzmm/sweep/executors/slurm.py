"""Running attempts as jobs of a Slurm cluster, through submitit."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from fzmm.errors import UserError
from fzmm.exit_codes import PREEMPTED_EXIT_CODE
from fzmm.sweep.attempt import Attempt
from fzmm.sweep.command import ROOT, training_command
from fzmm.sweep.run_dir.lock import lock_holder
from fzmm.sweep.run_dir.record import note_queued_job, queued_job, read_record
from fzmm.sweep.run_dir.state import State, read_status
from fzmm.sweep.runs import Run
from fzmm.sweep.training import GRACE_SECONDS, Training

# A training of days on a partition of hours is requeued at every time limit.
MAX_TIMEOUTS = 1000
POLL_SECONDS = 3.0
WARNING_SECONDS = 90


class SlurmJob:
    """What every task of a job calls: task 0 keeps the run's directory, all of them train.

    Slurm warns before a time limit (SIGUSR2) and at a preemption or requeue (SIGTERM); the training
    is told by SIGTERM, saves and ends. After a warning the job requeues itself; the other two are
    requeued by Slurm. Started again, the job goes on where the directory stands.

    Args:
        run: The run.
        arguments: Passed on to ``tools/train.py``.
        grace: Seconds between SIGTERM and SIGKILL.
        command: What to run in place of ``python tools/train.py``.
    """

    def __init__(
        self,
        run: Run,
        arguments: list[str],
        grace: float,
        command: list[str] | None = None,
    ) -> None:
        self.run = run
        self.arguments = arguments
        self.grace = grace
        self.command = command

    def __call__(self) -> str:
        """Train, and return how it ended."""
        task, tasks = (int(os.environ.get(f"SLURM_{key}", "0")) for key in ("PROCID", "NTASKS"))
        launcher = []
        if tasks > 1:
            launcher = ["--launcher", "slurm"]
            # Jobs that share a node must not share a port.
            os.environ["MASTER_PORT"] = str(20000 + int(os.environ["SLURM_JOB_ID"]) % 20000)
        command = training_command(self.run, 1, [*launcher, *self.arguments], self.command)
        where = f"slurm {job_id()} on {os.environ.get('SLURM_JOB_NODELIST', 'some node')}"
        if task == 0:
            attempt = Attempt(self.run, command, self.arguments, where, self.grace)
            training = attempt.training
        else:
            training = Training(command, self.grace)
        warned = []
        requeue = signal.getsignal(signal.SIGUSR2)  # submitit's
        signal.signal(signal.SIGUSR2, lambda *_: (warned.append(True), training.stop()))
        signal.signal(signal.SIGTERM, lambda *_: training.stop())
        if task == 0:
            outcome = attempt.execute()
            said = "trained by another attempt" if outcome is None else outcome.value
        else:
            said = self._follow(training, where, task)
        if warned and said == State.INTERRUPTED.value and callable(requeue):
            requeue(signal.SIGUSR2, None)  # does not return in task 0: the job is requeued
        return said

    def checkpoint(self) -> Any:
        """Return what submitit is to run when the job is started again: the same."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(SlurmJob(self.run, self.arguments, self.grace, self.command))

    def _follow(self, training: Training, where: str, task: int) -> str:
        """Train beside task 0, once that has the directory."""
        deadline = time.monotonic() + 60
        while (lock_holder(self.run.work_dir) or {}).get("where") != where:
            if time.monotonic() > deadline:
                return "task 0 does not train"
            time.sleep(0.2)
        code = training.run(self.run.work_dir / f"task{task}.txt")
        return State.INTERRUPTED.value if training.told_to_stop else f"exit code {code}"


def job_id() -> str:
    """Return this job's id as users see it: ``12_3`` in an array."""
    array, index = (os.environ.get(f"SLURM_ARRAY_{key}") for key in ("JOB_ID", "TASK_ID"))
    return f"{array}_{index}" if array else os.environ.get("SLURM_JOB_ID", "?")


class SlurmExecutor:
    """Submits runs as job arrays and follows them.

    Args:
        root: Folder of the run directories; job files go to ``.slurm`` in it.
        gpus_per_run: GPUs, and processes, of each run; over all its nodes.
        arguments: Passed on to ``tools/train.py``.
        grace: Seconds that a training gets to save and end.
        options: submitit's Slurm parameters (``partition``, ``time``, ``nodes`` ...); ``cpu=True``
            asks for no GPU.
        command: What to run in place of ``python tools/train.py``.

    Raises:
        UserError: If submitit or Slurm is missing or an option does not fit.
    """

    detached = True  # jobs go on without the sweep

    def __init__(
        self,
        root: Path,
        gpus_per_run: int = 1,
        arguments: list[str] = (),
        grace: float = GRACE_SECONDS,
        options: dict[str, Any] | None = None,
        command: list[str] | None = None,
    ) -> None:
        try:
            import submitit
        except ImportError:
            raise UserError("--executor slurm needs submitit: pip install submitit") from None
        options = dict(options or {})
        nodes = options.get("nodes") or 1
        if gpus_per_run % nodes:
            raise UserError(f"--gpus-per-run {gpus_per_run}: no multiple of {nodes} nodes")
        self.processes = gpus_per_run
        self.arguments = list(arguments)
        self.command = command
        delay = options.setdefault("signal_delay_s", WARNING_SECONDS)
        self.grace = min(grace, max(5, delay - 10))
        per_node = gpus_per_run // nodes
        options.setdefault("ntasks_per_node", per_node)
        if not options.pop("cpu", False):
            options.setdefault("gpus_per_node", per_node)
        options.setdefault("time", 24 * 60)
        options.setdefault("job_name", "fzmm")
        options["setup"] = [f"export PYTHONPATH={ROOT}:$PYTHONPATH", *options.get("setup", [])]
        extra = options.get("additional_parameters", {})
        options["additional_parameters"] = {"requeue": True, **extra}
        # If one task dies the others would wait for it for ever.
        options.setdefault("srun_args", ["--kill-on-bad-exit=1"])
        try:
            self._executor = submitit.SlurmExecutor(
                root.resolve() / ".slurm", max_num_timeout=MAX_TIMEOUTS
            )
            self._executor.update_parameters(**options)
        except RuntimeError as error:  # no srun
            raise UserError(f"--executor slurm: {error}") from None
        except (TypeError, ValueError) as error:
            raise UserError(f"--slurm-*: {str(error).splitlines()[0]}") from None
        self._held_back: list[Run] = []
        self._jobs: dict[Run, str] = {}
        self._queue: dict[str, str] = {}
        self._asked = 0.0

    @property
    def active(self) -> list[Run]:
        """Runs that have a job."""
        return [*self._jobs, *self._held_back]

    def has_room(self) -> bool:
        """Slurm's queue always has."""
        return True

    def start(self, run: Run) -> None:
        """Take a run into the next array, unless an earlier sweep's job for it is still there."""
        job = queued_job(run.work_dir)
        if job is not None and job in self._ask():
            self._jobs[run] = job
        else:
            self._held_back.append(run)

    def flush(self) -> None:
        """Submit what was started, as one array."""
        if not self._held_back:
            return
        # jobs start in the folder that they are submitted from, so relative paths hold
        calls = [SlurmJob(run, self.arguments, self.grace, self.command) for run in self._held_back]
        try:
            with self._executor.batch():
                jobs = [self._executor.submit(call) for call in calls]
        except Exception as error:  # submitit's own, with sbatch's words in it
            lines = [line for line in str(error).splitlines() if line.strip()]
            raise UserError(f"sbatch: {lines[-1] if lines else error}") from None
        for run, job in zip(self._held_back, jobs, strict=True):
            self._jobs[run] = job.job_id
            note_queued_job(run.work_dir, job.job_id)
        self._held_back = []
        self._asked = 0.0

    def poll(self) -> list[tuple[Run, int, str]]:
        """Return ``(run, exit code, what it said)`` of runs whose job has left the queue."""
        if time.monotonic() - self._asked < POLL_SECONDS:
            return []
        queue = self._ask()
        ended = []
        for run, job in list(self._jobs.items()):
            if job in queue or lock_holder(run.work_dir) is not None:
                continue
            del self._jobs[run]
            attempts = read_record(run.work_dir)["attempts"]
            if not attempts:
                ended.append((run, 0, self._last_words(job)))
                continue
            code = attempts[-1].get("exit_code")  # none: it was ended without notice
            ended.append((run, PREEMPTED_EXIT_CODE if code is None else code, ""))
        return ended

    def describe(self, run: Run) -> str:
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

    def stop(self) -> None:
        """Jobs are left to Slurm."""

    def kill(self) -> None:
        """Jobs are left to Slurm."""

    def _ask(self) -> dict[str, str]:
        """Return state and reason of the user's queued and running jobs, by id."""
        result = subprocess.run(
            ["squeue", "--noheader", "--array", "--me", "--format=%i|%T|%r"],
            capture_output=True,
            text=True,
        )
        if result.returncode == 0:  # else the controller is busy: what was known still holds
            self._asked = time.monotonic()
            rows = (line.strip().split("|", 2) for line in result.stdout.splitlines())
            self._queue = {
                row[0]: row[1] + (f" ({row[2]})" if row[2] != "None" else "")
                for row in rows
                if len(row) == 3 and row[1] not in ("COMPLETED", "FAILED", "CANCELLED")
            }
        return self._queue

    def _last_words(self, job: str) -> str:
        """Return the last line of a job that never got as far as its run."""
        logs = sorted(Path(self._executor.folder).glob(f"{job}_*_log.err"))
        lines = [line for log in logs for line in log.read_text(errors="replace").splitlines()]
        return f"error: {lines[-1]}" if lines else "error: its job ended without a word"
