"""Running many trainings, each to its end, and going on where an earlier call was stopped."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from fzmm.errors import UserError
from fzmm.exit_codes import PREEMPTED_EXIT_CODE, USER_ERROR
from fzmm.sweep.attempt import HELD_EXIT_CODE
from fzmm.sweep.executors.base import Executor
from fzmm.sweep.executors.local import LocalExecutor, visible_gpus
from fzmm.sweep.plan import batch_notice, read_all_facts
from fzmm.sweep.run_dir.progress import read_progress
from fzmm.sweep.run_dir.record import read_record
from fzmm.sweep.run_dir.state import RunStatus, State, read_status
from fzmm.sweep.runs import Run, plan_runs
from fzmm.sweep.table import Display
from fzmm.sweep.training import GRACE_SECONDS

MIN_FREE_BYTES = 16 * 2**20


class Interrupted(Exception):
    """The sweep was told to stop and has stopped: every training saved and ended."""


def run_sweep(
    configs: Sequence[str | os.PathLike],
    seeds: Sequence[int] = (0,),
    *,
    root: str | os.PathLike = "work_dirs",
    executor: str = "local",
    gpus_per_run: int | None = None,
    runs_at_once: int = 1,
    budget: float = 1.0,
    retries: int = 1,
    arguments: Sequence[str] = (),
    grace: float = GRACE_SECONDS,
    slurm: dict | None = None,
    wait: bool = True,
    display: Display | None = None,
    command: Sequence[str] | None = None,
) -> list[RunStatus]:
    """Train every config with every seed, each in ``<root>/<config name>/seed<k>``.

    What is finished is left alone, what was interrupted goes on from its last checkpoint, what
    failed is tried again. SIGINT and SIGTERM stop the sweep: its trainings save a checkpoint first.

    Args:
        configs: Config files.
        seeds: Repeats of each config.
        root: Folder of the run directories.
        executor: ``"local"`` or ``"slurm"``.
        gpus_per_run: GPUs of each run; by default as many as the config's schedule is made for,
            where the machine has them.
        runs_at_once: Trainings at a time on a machine without GPUs; they share its cores.
        budget: Share of the schedule to run, passed on to ``tools/train.py``.
        retries: How often a failed run is tried again in this call.
        arguments: Further arguments of ``tools/train.py``.
        grace: Seconds that a training gets to save and end when the sweep is stopped.
        slurm: Options of ``sbatch`` by name, for submitit (``{"partition": "gpu"}``).
        wait: With Slurm, watch the jobs until they end; otherwise return when they are queued.
        display: Where progress is shown; the terminal by default.
        command: What to run in place of ``python tools/train.py``.

    Returns:
        The final state of each run.

    Raises:
        UserError: If a config cannot be read, or a run was begun with other arguments.
        Interrupted: If the sweep was told to stop.
    """
    if not 0 < budget <= 1:
        raise UserError(f"--budget {budget:g}: a share of the schedule, above 0 and at most 1")
    if retries < 0:
        raise UserError(f"--retries {retries}: 0 or more")
    runs = plan_runs(configs, seeds, root)
    arguments = passed_arguments(arguments, budget)
    check_arguments(runs, arguments)
    facts = read_all_facts(runs, arguments)
    display = display or Display()
    wanted = gpus_per_run or max(item.gpus for item in facts.values())
    if executor == "slurm":
        from fzmm.sweep.executors.slurm import SlurmExecutor

        workers = SlurmExecutor(Path(root), wanted, arguments, grace, slurm or {}, command)
    else:
        gpus = visible_gpus()
        size = wanted if gpus_per_run else max(1, min(wanted, len(gpus)))
        workers = LocalExecutor(gpus, size, arguments, grace, command, runs_at_once)
    for notice in dict.fromkeys(
        batch_notice(item, workers.processes, arguments) for item in facts.values()
    ):
        if notice:
            display.say(notice)
    with _stop_signals() as stop:
        return _Sweep(runs, workers, retries, grace, display, stop, wait).go()


def passed_arguments(arguments: Sequence[str], budget: float) -> list[str]:
    """Return the arguments of ``tools/train.py``, the sweep's own options among them."""
    return [*(["--budget", f"{budget:g}"] if budget != 1 else []), *arguments]


def check_arguments(runs: Sequence[Run], arguments: Sequence[str]) -> None:
    """Refuse to mix runs of different budgets or options in one directory.

    Raises:
        UserError: If a run has got somewhere with other arguments.
    """
    for run in runs:
        record = read_record(run.work_dir)
        before = record.get("arguments")
        if not record["attempts"] or not isinstance(before, list) or before == list(arguments):
            continue
        if read_progress(run.work_dir).iteration is not None:
            theirs, ours = " ".join(map(str, before)), " ".join(arguments)
            raise UserError(
                f"{run.work_dir}: was trained with `{theirs or 'no arguments'}`, not "
                f"`{ours or 'no arguments'}`; repeat those, or give another --work-dir"
            )


class _Sweep:
    """The state of one call of ``run_sweep``; all that outlives it is in the run directories."""

    def __init__(self, runs, workers, retries, grace, display, stop, wait) -> None:
        self.runs: list[Run] = runs
        self.workers: Executor = workers
        self.retries = retries
        self.grace = grace
        self.display = display
        self.stop = stop
        self.wait = wait
        self.tried: Counter[Run] = Counter()
        self.given_up: dict[Run, str] = {}
        self.reached: dict[Run, int] = {}
        self.full: str | None = None

    def go(self) -> list[RunStatus]:
        statuses = self._statuses()
        done = sum(status.state is State.DONE for status in statuses)
        if done:
            self.display.say(f"{done} of {len(self.runs)} runs are finished and left as they are")
        with self.display:
            try:
                self._loop()
            finally:
                if self.workers.active and not self.workers.detached:
                    self._stop_all()
        statuses = self._statuses()
        self.display.final(statuses)
        if self.stop.asked:
            raise Interrupted(f"stopped{self.workers.going_on()}; the same command continues")
        return statuses

    def _loop(self) -> None:
        refreshed = 0.0
        while not self.stop.asked:
            for run, code, said in self.workers.poll():
                self._ended(run, code, said)
            if time.monotonic() - refreshed >= 1:
                statuses = self._statuses()
                self.display.update(statuses)
                refreshed = time.monotonic()
                if not self._start(statuses) and not self.workers.active:
                    return
                if not self.wait:
                    return
            time.sleep(0.1)

    def _statuses(self) -> list[RunStatus]:
        statuses = []
        for run in self.runs:
            status = read_status(run)
            described = self.workers.describe(run)
            note = status.note
            if run in self.given_up and self.given_up[run] not in note:
                note = "; ".join(filter(None, [self.given_up[run], note]))
            statuses.append(replace(status, note=note, where=described or status.where))
        return statuses

    def _waiting(self, statuses: Sequence[RunStatus]) -> list[Run]:
        """Return the runs that are still to be started, by us."""
        return [
            status.run
            for status in statuses
            if status.state not in (State.DONE, State.RUNNING)
            and status.run not in self.given_up
            and status.run not in self.workers.active
        ]

    def _start(self, statuses: Sequence[RunStatus]) -> bool:
        """Start what there is room for; return whether anything is left to wait for."""
        waiting = self._waiting(statuses)
        if waiting and self._disk_is_full():
            return False
        for run in waiting:
            if not self.workers.has_room():
                break
            progress = read_progress(run.work_dir)
            self.reached[run] = progress.iteration or 0
            again = f", from iteration {progress.checkpoint:,}" if progress.checkpoint else ""
            self.display.say(f"{run.name}: starting{again}")
            self.workers.start(run)
        self.workers.flush()
        # Trained by another sweep: it may end there, or stop and be ours to continue.
        elsewhere = any(
            status.state is State.RUNNING and status.run not in self.workers.active
            for status in statuses
        )
        return bool(waiting) or elsewhere

    def _ended(self, run: Run, code: int, said: str) -> None:
        status = read_status(run)
        if code == HELD_EXIT_CODE or self.stop.asked:
            return
        if status.state is State.DONE:
            best = status.progress.best_map
            found = "" if best is None else f", best mAP {100 * best:.1f}"
            self.display.say(f"{run.name}: done{found}")
            return
        failed = code not in (PREEMPTED_EXIT_CODE, -signal.SIGKILL)
        advanced = (status.progress.iteration or 0) > self.reached.get(run, 0)
        # An interruption that got further is no failure: a machine may be taken away many times.
        if failed or not advanced:
            self.tried[run] += 1
        reason = said.removeprefix("error: ") or status.note or f"exit code {code}"
        self.display.say(f"{run.name}: {'failed' if failed else 'interrupted'}: {reason}")
        if code == USER_ERROR:
            self.given_up[run] = said.removeprefix("error: ") or "not tried again: mend it first"
        elif self.tried[run] > self.retries:
            self.given_up[run] = f"given up after {self.tried[run]} failed tries"

    def _disk_is_full(self) -> bool:
        folder = self.runs[0].work_dir
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free
        if free >= MIN_FREE_BYTES:
            return False
        if self.full is None:
            self.full = f"{free / 2**20:.0f} MiB free: nothing more is started; make room"
            self.display.say(f"{folder}: {self.full}")
            for run in self.runs:
                if read_status(run).state not in (State.DONE, State.RUNNING):
                    self.given_up.setdefault(run, self.full)
        return True

    def _stop_all(self) -> None:
        names = ", ".join(run.name for run in self.workers.active)
        self.display.say(f"stopping {names}: saving first (again to kill at once)")
        self.stop.again = False
        self.workers.stop()
        deadline = time.monotonic() + self.grace + 10
        while self.workers.active and time.monotonic() < deadline and not self.stop.again:
            self.workers.poll()
            time.sleep(0.1)
        if self.workers.active:
            self.workers.kill()


class _Stop:
    """Whether the sweep was told to stop, and whether it was told again."""

    asked = False
    again = False


@contextlib.contextmanager
def _stop_signals() -> Iterator[_Stop]:
    stop = _Stop()

    def handle(*_: object) -> None:
        stop.again = stop.asked
        stop.asked = True

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
