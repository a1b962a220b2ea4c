"""What a job of Slurm does: one attempt, by one task or several."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from fzmm.run_lock import lock_holder
from fzmm.sweep.options import SweepOptions
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.run_dir.state import State
from fzmm.sweep.training.attempt import Attempt
from fzmm.sweep.training.training_command import training_command, training_environment
from fzmm.sweep.training.training_process import TrainingProcess


class SlurmJob:
    """What every task of a job calls: task 0 keeps the run's directory, all of them train.

    Slurm warns before a time limit (SIGUSR2) and at a preemption or requeue (SIGTERM); the training
    is told by SIGTERM, saves and ends. After a warning the job requeues itself; the other two are
    requeued by Slurm. Started again, the job goes on where the directory stands.

    Args:
        run: The run.
        options: The sweep's.
        grace: Seconds between SIGTERM and SIGKILL.
    """

    def __init__(self, run: PlannedRun, options: SweepOptions, grace: float) -> None:
        self.run = run
        self.options = options
        self.grace = grace

    def __call__(self) -> str:
        """Train, and return how it ended."""
        task, tasks = (int(os.environ.get(f"SLURM_{key}", "0")) for key in ("PROCID", "NTASKS"))
        launcher = []
        if tasks > 1:
            launcher = ["--launcher", "slurm"]
            # Jobs that share a node must not share a port.
            os.environ["MASTER_PORT"] = str(20000 + int(os.environ["SLURM_JOB_ID"]) % 20000)

        arguments = self.options.training_arguments
        command = training_command(self.run, 1, [*launcher, *arguments], self.options.command)
        where = f"slurm {job_id()} on {os.environ.get('SLURM_JOB_NODELIST', 'some node')}"
        if task == 0:
            training = Attempt(self.run, command, arguments, where, self.grace)
        else:
            training = TrainingProcess(command, self.grace)

        warned = []
        requeue = signal.getsignal(signal.SIGUSR2)  # submitit's
        signal.signal(signal.SIGUSR2, lambda *_: (warned.append(True), training.stop()))
        signal.signal(signal.SIGTERM, lambda *_: training.stop())
        outcome = self._lead(training) if task == 0 else self._follow(training, where, task)
        if warned and outcome == State.INTERRUPTED.value and callable(requeue):
            requeue(signal.SIGUSR2, None)  # does not return in task 0: the job is requeued

        return outcome

    def checkpoint(self) -> Any:
        """Return what submitit is to run when the job is started again: the same."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(SlurmJob(self.run, self.options, self.grace))

    def _lead(self, attempt: Attempt) -> str:
        if not attempt.start():
            return "finished, or trained by another attempt"
        return attempt.wait().outcome.value

    def _follow(self, training: TrainingProcess, where: str, task: int) -> str:
        """Train beside task 0, once that has the directory."""
        deadline = time.monotonic() + 60
        while (lock_holder(self.run.work_dir) or {}).get("where") != where:
            if time.monotonic() > deadline:
                return "task 0 does not train"
            time.sleep(0.2)
        training.start(self.run.work_dir / f"task{task}.txt", training_environment())
        code = training.wait()
        return State.INTERRUPTED.value if training.told_to_stop else f"exit code {code}"


def job_id() -> str:
    """Return this job's id as users see it: ``12_3`` in an array."""
    array, index = (os.environ.get(f"SLURM_ARRAY_{key}") for key in ("JOB_ID", "TASK_ID"))
    return f"{array}_{index}" if array else os.environ.get("SLURM_JOB_ID", "?")
