"""Running attempts on this machine: one a GPU or group of GPUs, on a CPU one a share of cores."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from fzmm.errors import UserError
from fzmm.sweep.command import training_command, training_environment
from fzmm.sweep.runs import Run
from fzmm.sweep.training import GRACE_SECONDS


class LocalExecutor:
    """Starts attempts in processes of this machine.

    Args:
        gpus: Ids for ``CUDA_VISIBLE_DEVICES``; empty for a machine without.
        gpus_per_run: GPUs of each run; ignored without GPUs.
        arguments: Passed on to ``tools/train.py``.
        grace: Seconds that a training gets to save and end when the sweep is stopped.
        command: What to run in place of ``tools/train.py``.
        runs_at_once: Trainings at a time on a machine without GPUs, each with its share of the
            cores. Much of a small training is not parallel: two of one thread then end before two
            of two threads, one after the other.
    """

    detached = False  # what it starts ends with it

    def __init__(
        self,
        gpus: list[str],
        gpus_per_run: int = 1,
        arguments: list[str] = (),
        grace: float = GRACE_SECONDS,
        command: list[str] | None = None,
        runs_at_once: int = 1,
    ) -> None:
        if gpus and gpus_per_run > len(gpus):
            raise UserError(
                f"--gpus-per-run {gpus_per_run}: this machine shows {len(gpus)}; ask for as many"
            )
        if runs_at_once < 1:
            raise UserError(f"--runs-at-once {runs_at_once}: 1 or more")
        if gpus and runs_at_once > 1:
            raise UserError(
                f"--runs-at-once {runs_at_once}: this machine has GPUs, and each takes one run; "
                "leave the option out"
            )
        self.processes = gpus_per_run if gpus else 1
        self.arguments = list(arguments)
        self.grace = grace
        self.command = command
        size = self.processes
        self._slots = [gpus[i : i + size] for i in range(0, len(gpus) - size + 1, size)]
        self._slots = self._slots or [[] for _ in range(runs_at_once)]
        self._threads = max(1, available_cores() // runs_at_once) if runs_at_once > 1 else None
        self._active: dict[Run, tuple[subprocess.Popen, list[str]]] = {}

    @property
    def active(self) -> list[Run]:
        """Runs that this executor is training."""
        return list(self._active)

    def has_room(self) -> bool:
        """Whether another attempt can start now."""
        return bool(self._slots)

    def start(self, run: Run) -> None:
        """Start an attempt; ``poll`` tells how it ended."""
        gpus = self._slots.pop(0)
        environment = training_environment()
        where = socket.gethostname()
        if gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
            where += f" gpu {','.join(gpus)}"
        if self._threads:
            environment.setdefault("OMP_NUM_THREADS", str(self._threads))
        command = training_command(run, self.processes, self.arguments, self.command)
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "fzmm.sweep.attempt"),
                *("--config", str(run.config), "--seed", str(run.seed)),
                *("--work-dir", str(run.work_dir), "--parent", str(os.getpid())),
                *("--grace", str(self.grace), "--where", where),
                *("--arguments", str(len(self.arguments)), "--", *command),
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches the sweep alone, which then stops its runs
        )
        self._active[run] = (process, gpus)

    def flush(self) -> None:
        """Nothing is held back."""

    def poll(self) -> list[tuple[Run, int, str]]:
        """Return ``(run, exit code, what it said)`` of the attempts that have ended."""
        ended = []
        for run, (process, gpus) in list(self._active.items()):
            if process.poll() is None:
                continue
            said = process.stderr.read().decode(errors="replace").strip()
            process.stderr.close()
            del self._active[run]
            self._slots.insert(0, gpus)
            ended.append((run, process.returncode, said.splitlines()[-1] if said else ""))
        return ended

    def stop(self) -> None:
        """Tell every training to save and end; returns at once."""
        for process, _ in self._active.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End everything now; what was trained since the last checkpoints is lost."""
        for run, (process, _) in self._active.items():
            for pid in (*_children(process.pid), process.pid):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
            process.wait()
            _wait_until_unlocked(run.work_dir)

    def describe(self, run: Run) -> str:
        """Nothing to add to what the run's directory says."""
        return ""

    def going_on(self) -> str:
        """Nothing goes on without the sweep."""
        return ""


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """Return the ids that ``CUDA_VISIBLE_DEVICES`` may name on this machine; empty without GPUs."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    import torch

    count = torch.cuda.device_count()
    if named:
        return [item.strip() for item in named.split(",") if item.strip()][:count]
    return [str(index) for index in range(count)]


def _children(pid: int) -> list[int]:
    try:
        return [int(x) for x in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _wait_until_unlocked(work_dir: Path, seconds: float = 10) -> None:
    from fzmm.sweep.run_dir.lock import lock_holder

    deadline = time.monotonic() + seconds
    while lock_holder(work_dir) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
