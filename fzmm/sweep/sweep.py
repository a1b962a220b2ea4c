"""Running many trainings, each to its end, and going on where an earlier call was stopped."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from fzmm.errors import UserError
from fzmm.exit_codes import USER_ERROR
from fzmm.sweep.as_asked import check_as_asked, put_aside_others
from fzmm.sweep.config_facts import batch_notice, check_any_has_its_files, read_all_facts
from fzmm.sweep.executors.base import Executor, build_executor
from fzmm.sweep.options import SweepOptions
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.run_dir.run_progress import RunProgress
from fzmm.sweep.run_dir.state import RunStatus, State, read_status
from fzmm.sweep.stop_signals import StopRequest, stop_signals
from fzmm.sweep.table import Display
from fzmm.sweep.training.attempt import AttemptEnd

MIN_FREE_BYTES = 16 * 2**20


class Interrupted(Exception):
    """The sweep was told to stop and has stopped: every training saved and ended."""


def run_sweep(
    options: SweepOptions,
    display: Display | None = None,
    runs: Sequence[PlannedRun] | None = None,
) -> list[RunStatus]:
    """Train every config with every seed, each in ``<root>/<config name>/seed<k>``.

    What is finished is left alone, what was interrupted goes on from its last checkpoint, what
    failed is tried again. SIGINT and SIGTERM stop the sweep: its trainings save a checkpoint first.

    Args:
        options: What to train, where and how.
        display: Where progress is shown; the terminal by default.
        runs: The runs, in place of every config with every seed.

    Returns:
        The final state of each run.

    Raises:
        UserError: If a config cannot be read, or a run was trained otherwise than asked.
        Interrupted: If the sweep was told to stop.
    """
    runs = options.plan() if runs is None else runs
    arguments = options.training_arguments
    display = display or Display()
    facts = read_all_facts(runs, arguments)
    if options.redo:
        for run, place in put_aside_others(runs, facts, arguments, options.root).items():
            display.say(f"{run.name}: put aside in {place}")

    check_as_asked(runs, facts, arguments)

    if options.one_machine:
        check_any_has_its_files(runs, facts)
    executor = build_executor(options, max(config.gpus for config in facts.values()))
    notices = [batch_notice(config, executor.processes, arguments) for config in facts.values()]
    for notice in dict.fromkeys(filter(None, notices)):
        display.say(notice)
    with stop_signals() as stop:
        return _Sweep(runs, executor, options, display, stop).go()


class _Sweep:
    """The state of one call of ``run_sweep``; all that outlives it is in the run directories."""

    def __init__(
        self,
        runs: Sequence[PlannedRun],
        executor: Executor,
        options: SweepOptions,
        display: Display,
        stop: StopRequest,
    ) -> None:
        self.runs = runs
        self.executor = executor
        self.options = options
        self.display = display
        self.stop = stop
        self.tried: Counter[PlannedRun] = Counter()
        self.given_up: dict[PlannedRun, str] = {}
        self.reached: dict[PlannedRun, int] = {}
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
                if self.executor.active and not self.executor.detached:
                    self._stop_all()

        statuses = self._statuses()
        self.display.final(statuses)
        if self.stop.asked:
            raise Interrupted(f"stopped{self.executor.going_on()}; the same command continues")
        return statuses

    def _loop(self) -> None:
        refreshed = 0.0
        while not self.stop.asked:
            for run, end in self.executor.poll():
                self._ended(run, end)

            if time.monotonic() - refreshed >= 1:
                statuses = self._statuses()
                self.display.update(statuses)
                refreshed = time.monotonic()
                if not self._start(statuses) and not self.executor.active:
                    return
                if not self.options.wait:
                    return
            time.sleep(0.1)

    def _statuses(self) -> list[RunStatus]:
        statuses = []
        for run in self.runs:
            status = read_status(run)
            described = self.executor.describe(run)
            note = status.note
            if run in self.given_up and self.given_up[run] not in note:
                note = "; ".join(filter(None, [self.given_up[run], note]))
            statuses.append(replace(status, note=note, where=described or status.where))
        return statuses

    def _waiting(self, statuses: Sequence[RunStatus]) -> list[PlannedRun]:
        """Return the runs that are still to be started, by us."""
        return [
            status.run
            for status in statuses
            if status.state not in (State.DONE, State.RUNNING)
            and status.run not in self.given_up
            and status.run not in self.executor.active
        ]

    def _start(self, statuses: Sequence[RunStatus]) -> bool:
        """Start what there is room for; return whether anything is left to wait for."""
        waiting = self._waiting(statuses)
        if waiting and self._disk_is_full():
            return False
        progress = {status.run: status.progress for status in statuses}

        for run in waiting:
            if not self.executor.has_room():
                break
            self._start_run(run, progress[run])

        self.executor.flush()
        # Trained by another sweep: it may end there, or stop and be ours to continue.
        elsewhere = any(
            status.state is State.RUNNING and status.run not in self.executor.active
            for status in statuses
        )

        return bool(waiting) or elsewhere

    def _start_run(self, run: PlannedRun, progress: RunProgress) -> None:
        self.reached[run] = progress.iteration or 0
        again = f", from iteration {progress.checkpoint:,}" if progress.checkpoint else ""
        self.display.say(f"{run.name}: starting{again}")
        try:
            self.executor.start(run)
        except UserError as error:
            self.display.say(f"{run.name}: failed: {error}")
            self.given_up[run] = str(error)

    def _ended(self, run: PlannedRun, end: AttemptEnd) -> None:
        status = read_status(run)
        if self.stop.asked:
            return
        if status.state is State.DONE:
            best = status.progress.best_map
            ending = "" if best is None else f", best mAP {100 * best:.1f}"
            self.display.say(f"{run.name}: done{ending}")
            return

        failed = end.outcome is State.FAILED
        advanced = (status.progress.iteration or 0) > self.reached.get(run, 0)
        # An interruption that got further is no failure: a machine may be taken away many times.
        if failed or not advanced:
            self.tried[run] += 1
        reason = end.error or status.note or f"exit code {end.exit_code}"
        self.display.say(f"{run.name}: {'failed' if failed else 'interrupted'}: {reason}")
        if failed and end.exit_code == USER_ERROR:
            self.given_up[run] = end.error or "not tried again: fix it first"
        elif self.tried[run] > self.options.retries:
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
        names = ", ".join(run.name for run in self.executor.active)
        self.display.say(f"stopping {names}: saving first (again to kill at once)")
        self.stop.again = False
        self.executor.stop()
        deadline = time.monotonic() + self.options.grace + 10
        while self.executor.active and time.monotonic() < deadline and not self.stop.again:
            self.executor.poll()
            time.sleep(0.1)
        if self.executor.active:
            self.executor.kill()
