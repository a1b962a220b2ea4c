"""Sweeping round by round: after each, the runs that help most to decide, until none would.

Where a study tries several learning rates, the first rounds look for each scenario's best one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fzmm.analysis.conclusions import next_runs as rules
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.statistics.cohorts import cohorts
from fzmm.sweep.options import RATE_BUDGET, SweepOptions
from fzmm.sweep.planned_run import PlannedRun, run_of
from fzmm.sweep.rate_search import RateSearch, has_diverged
from fzmm.sweep.run_dir.record import read_record
from fzmm.sweep.run_dir.state import RunStatus, State, read_status
from fzmm.sweep.sweep import run_sweep
from fzmm.sweep.table import Display, summary_line

_SEED = re.compile(r"seed([0-9]{1,6})")


def sweep_until_decided(
    options: SweepOptions,
    margin: float = rules.MARGIN,
    display: Display | None = None,
    rate_budget: float = RATE_BUDGET,
) -> list[RunStatus]:
    """Train the options' configs and seeds, then more seeds where these decide, round by round.

    Called again it continues: runs of earlier rounds are found in their directories.

    Args:
        options: What to train first, where and how.
        margin: Loss of mAP that does not matter (0.004 is 0.4 percentage points).
        display: Where progress is shown; the terminal by default.
        rate_budget: Share of the schedule on which rates are looked for, where there are several.

    Returns:
        The state of each run when nothing is left to decide, when a set-up has its eight seeds,
        when a run has failed for good, or, with ``wait=False``, when a round is queued.

    Raises:
        UserError: As ``run_sweep``.
        Interrupted: As ``run_sweep``.
    """
    display = display or Display()
    search = RateSearch(options, rate_budget)
    if search.runs:
        statuses = look_for_rates(search, display)
        if not search.finished:
            return statuses
    runs = runs_so_far(options, search)
    while runs:
        statuses = run_sweep(options, display, runs)
        if any(status.state is not State.DONE for status in statuses):
            before, runs = runs, runs_so_far(options, search)
            if not _found_too_high(statuses, search) or set(runs) == set(before):
                return statuses
            say_rates(search, display)
            continue
        options = replace(options, redo=False)
        following = deciding_runs(runs, options, margin, display, search)
        if not following:
            display.say(f"nothing more to run: {summary_line(statuses)}")
            return [*statuses, *map(read_status, search.lost())]
        runs += following
    return [read_status(run) for run in search.lost()]


def look_for_rates(search: RateSearch, display: Display) -> list[RunStatus]:
    """Train the runs that look for rates, and say what was found."""
    statuses = run_sweep(search.run_options, display, search.open_runs) if search.open_runs else []
    say_rates(search, display)
    return statuses


def say_rates(search: RateSearch, display: Display) -> None:
    """Print the rate of each scenario, and what to try beside those tried."""
    for found in search.found().values():
        display.say(f"{found.name}: {'; '.join(filter(None, [found.reason, found.advice]))}")


def runs_so_far(options: SweepOptions, search: RateSearch | None = None) -> list[PlannedRun]:
    """Return the options' own runs, and those of further seeds that were begun before.

    Args:
        options: The sweep's.
        search: Of several learning rates, those that were found are left.
    """
    chosen = None if search is None else search.chosen()
    runs = options.plan()
    if chosen is not None:
        runs = [replace(run, reason=chosen[run.config]) for run in runs if run.config in chosen]
    for config in dict.fromkeys(run.config for run in runs):
        for folder in sorted(Path(options.root, config.stem).glob("seed*")):
            seed = _SEED.fullmatch(folder.name)
            run = run_of(config, int(seed.group(1)), options.root) if seed else None
            if run and run not in runs and read_record(folder)["attempts"]:
                runs.append(run)
    return runs


def _found_too_high(statuses: Sequence[RunStatus], search: RateSearch) -> bool:
    """Whether whole runs have diverged, so that a scenario may take its next best rate."""
    return bool(search.runs) and any(has_diverged(status.run.work_dir) for status in statuses)


def deciding_runs(
    runs: Sequence[PlannedRun],
    options: SweepOptions,
    margin: float,
    display: Display,
    search: RateSearch,
) -> list[PlannedRun]:
    """Return the runs that would help most to decide, each with its reason.

    Args:
        runs: The finished runs.
        options: The sweep's.
        margin: Loss of mAP that does not matter.
        display: Takes a line for each run, and for each that cannot be counted.
        search: Its runs have chosen the learning rates.
    """
    configs = {run.config.stem: run.config for run in runs}
    notes: list[str] = []
    folders = [run.work_dir for run in [*runs, *search.runs] if run.work_dir.is_dir()]
    groups = cohorts(read_runs(folders, notes))
    following: dict[PlannedRun, None] = {}
    for proposed in (run for cohort in groups for run in rules.next_runs(cohort, margin)):
        if (config := configs.get(Path(proposed.config or "").stem)) is not None:
            run = run_of(config, proposed.seed, options.root)
            following[replace(run, reason=reason_text(proposed))] = None
    # A copy of another run counts for nothing; training it again would change nothing.
    following = {run: None for run in following if run not in runs}
    for line in [*notes, *(f"next: {run.name}: {run.reason}" for run in following)]:
        display.say(line)
    return list(following)


def reason_text(run: rules.NextRun) -> str:
    """Return why a run is proposed, in a few words."""
    if run.reason == rules.SECOND_SEED:
        return "second seed"
    words = {
        rules.CHOICE: "recommended, {} sure",
        rules.CHEAPER: "freezes more, within the margin with {}",
        rules.CONTENDER: "the best with {}",
    }
    return words[run.reason].format(f"{run.probability:.0%}")
