"""Train many configs with many seeds, here or on a Slurm cluster; call it again to continue."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fzmm.errors import UserError, run_cli
from fzmm.sweep.executors.base import executor_classes
from fzmm.sweep.options import GRACE_SECONDS, RATE_BUDGET, SweepOptions
from fzmm.sweep.pins import read_pins
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.run_dir.state import RunStatus, State, read_status
from fzmm.sweep.table import Display
from fzmm.utils.budget_warning import warn_of_short_schedule
from fzmm.utils.durations import duration

if TYPE_CHECKING:  # it reads configs, and so imports MMEngine
    from fzmm.sweep.rate_search import RateSearch


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the arguments and sweep, or show how things stand."""
    args, passed = parse(sys.argv[1:] if arguments is None else arguments)
    options = sweep_options(args, passed)
    margin = _margin(args.margin_pp) if args.until_decided else None
    if args.status:
        return show_status(options, args.until_decided, _search(options, args))
    warn_of_short_schedule(args.budget)
    if args.dry_run:
        return show_plan(options, _search(options, args))
    return sweep(options, margin, args.rate_budget)


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the sweep's own arguments, and those after ``--`` for the trainings."""
    own, passed = list(arguments), []
    if "--" in own:
        split = own.index("--")
        own, passed = own[:split], own[split + 1 :]
    return parser().parse_args(own), passed


def parser() -> argparse.ArgumentParser:
    """Return the parser of everything before ``--``, each executor's options among it."""
    classes = executor_classes()
    parser = argparse.ArgumentParser(
        description="Train every config with every seed. Finished runs are left as they are, "
        "others continue. What follows `--` goes to each training, as to `fzmm train`.",
        epilog="example: fzmm sweep configs/toy/*.py --seeds 0 1 2 --budget 0.5 -- --fast",
    )
    parser.add_argument("configs", nargs="+", metavar="CONFIG", help="Configs to train.")
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[0], help="A repeat for each of these (default: 0)."
    )
    parser.add_argument(
        "--pin",
        nargs="+",
        default=[],
        metavar="AMOUNT=DEVICE",
        help="Ray, Slurm: train a data amount on one kind of device, so that its times compare.",
    )

    parser.add_argument(
        "--work-dir",
        default="work_dirs",
        help="Folder of the work directories (default: work_dirs).",
    )
    parser.add_argument(
        "--executor",
        choices=sorted(classes),
        default="local",
        help="Where the trainings run: on this machine, a Ray cluster or Slurm (default: local).",
    )
    parser.add_argument(
        "--gpus-per-run",
        type=int,
        help="GPUs of each run (default: as many as the schedule is made for).",
    )
    parser.add_argument(
        "--nodes",
        "--slurm-nodes",
        type=int,
        default=1,
        help="Ray, Slurm: machines of each run, which share its GPUs (default: 1).",
    )
    parser.add_argument(
        "--runs-at-once",
        type=int,
        default=1,
        help="How many trainings share the cores of a machine without GPUs (default: 1).",
    )
    parser.add_argument(
        "--budget", type=float, default=1.0, help="Share of the schedule to run (default: 1)."
    )
    parser.add_argument(
        "--retries",
        type=int,
        default=1,
        help="How often a failed training is tried again (default: 1).",
    )

    parser.add_argument(
        "--grace",
        type=float,
        default=GRACE_SECONDS,
        help="Seconds that trainings get to save when the sweep is stopped (default: %(default)g).",
    )
    parser.add_argument(
        "--until-decided",
        action="store_true",
        help="Then train more seeds where they decide what to freeze, eight of each at most.",
    )

    parser.add_argument(
        "--margin-pp",
        type=float,
        default=0.4,
        metavar="X",
        help="With --until-decided: points of mAP whose loss does not matter (default: 0.4).",
    )
    parser.add_argument(
        "--rate-budget",
        type=float,
        default=RATE_BUDGET,
        metavar="SHARE",
        help="With --until-decided: share of the schedule on which the learning rate of each "
        "scenario is looked for, where the configs have several (default: %(default)g).",
    )
    parser.add_argument(
        "--no-wait", action="store_true", help="Return when the jobs are in Slurm's queue."
    )

    parser.add_argument(
        "--redo", action="store_true", help="Train anew what was trained with another config."
    )
    parser.add_argument("--status", action="store_true", help="Show the runs and do nothing else.")
    parser.add_argument(
        "--dry-run", action="store_true", help="Print the plan and its cost, and do nothing else."
    )
    for executor in classes.values():
        executor.add_options(parser)

    return parser


def sweep_options(args: argparse.Namespace, passed: Sequence[str] = ()) -> SweepOptions:
    """Return the options of a sweep from its parsed arguments."""
    prefix = f"{args.executor}_"
    executor_options = {
        key.removeprefix(prefix): value
        for key, value in vars(args).items()
        if key.startswith(prefix) and value is not None and value is not False
    }

    return SweepOptions(
        args.configs,
        args.seeds,
        root=args.work_dir,
        executor=args.executor,
        gpus_per_run=args.gpus_per_run,
        nodes=args.nodes,
        runs_at_once=args.runs_at_once,
        budget=args.budget,
        retries=args.retries,
        arguments=passed,
        grace=args.grace,
        wait=not args.no_wait,
        redo=args.redo,
        executor_options=executor_options,
        pins=read_pins(args.pin),
    )


def _margin(points: float) -> float:
    if not 0 < points < 100:
        raise UserError(f"--margin-pp {points:g}: give percentage points above 0, below 100")
    return points / 100


def _search(options: SweepOptions, args: argparse.Namespace) -> RateSearch | None:
    """Return the search for learning rates, where it is asked for and there are several."""
    from fzmm.sweep.rate_search import RateSearch

    if not args.until_decided:
        return None
    search = RateSearch(options, args.rate_budget)
    return search if search.runs else None


def sweep(
    options: SweepOptions, margin: float | None = None, rate_budget: float = RATE_BUDGET
) -> int:
    """Train; the exit code is 0 if every run is done, or queued where nothing waits for it.

    Args:
        options: The sweep's.
        margin: Loss of mAP that does not matter, to add seeds until the choice is decided.
        rate_budget: Share of the schedule on which learning rates are looked for before that.
    """
    from fzmm.sweep.sweep import Interrupted, run_sweep

    try:
        if margin is None:
            statuses = run_sweep(options)
        else:
            statuses = _until_decided(options, margin, rate_budget)
    except Interrupted as stopped:
        print(stopped)
        return 130
    bad = [status for status in statuses if status.state is not State.DONE]
    if not options.wait:
        bad = [status for status in bad if status.state is State.FAILED]
    return int(bool(bad))


def _until_decided(options: SweepOptions, margin: float, rate_budget: float) -> list[RunStatus]:
    from fzmm.analysis.report.recommendation_text import recommendation_text
    from fzmm.sweep.rate_search import RateSearch, has_diverged
    from fzmm.sweep.until_decided import sweep_until_decided

    statuses = sweep_until_decided(options, margin, rate_budget=rate_budget)
    done = [status.run for status in statuses if status.state is State.DONE]
    out = [status.run for status in statuses if has_diverged(status.run.work_dir)]
    if done and len(done) + len(out) == len(statuses):
        runs = [*done, *RateSearch(options, rate_budget).runs]
        folders = list(dict.fromkeys(run.work_dir for run in runs if run.work_dir.is_dir()))
        print(recommendation_text(folders, margin), end="")
    return statuses


def show_status(
    options: SweepOptions,
    further_seeds: bool = False,
    search: RateSearch | None = None,
    interval: float = 2,
) -> int:
    """Print the table of a sweep; on a terminal keep it up to date until nothing runs any more.

    Args:
        options: The sweep's.
        further_seeds: Show also seeds that ``--until-decided`` has added.
        search: Its search for learning rates, whose runs come first.
        interval: Seconds between two readings.
    """
    from fzmm.sweep.rate_search import has_diverged
    from fzmm.sweep.until_decided import runs_so_far

    runs = runs_so_far(options, search) if further_seeds else options.plan()
    looking = [] if search is None else search.runs
    runs = list(dict.fromkeys([*looking, *runs]))
    display = Display()
    statuses = [read_status(run) for run in runs]
    if display.console.is_terminal:
        with display:
            while any(status.state is State.RUNNING for status in statuses):
                display.update(statuses)
                time.sleep(interval)
                statuses = [read_status(run) for run in runs]
    display.final(statuses)
    failed = [status.run for status in statuses if status.state is State.FAILED]
    # a rate that is too high is an answer, not a failure
    return int(any(run not in looking or not has_diverged(run.work_dir) for run in failed))


def show_plan(options: SweepOptions, search: RateSearch | None = None) -> int:
    """Print what a sweep would do and what that would cost.

    Args:
        options: The sweep's.
        search: Its search for learning rates; what follows it is planned at rates that are found.
    """
    if search is None:
        return _print_plan(options, options.plan())
    from fzmm.sweep.until_decided import runs_so_far

    timed: dict = {}
    _print_plan(search.run_options, search.open_runs, timed)
    if search.finished:
        return _print_plan(options, runs_so_far(options, search))
    whole = search.stand_ins()
    _, costs = _planned(options, whole, timed)
    total = duration(sum(cost.seconds for cost in costs.values() if cost.seconds is not None))
    print(f"then {len(whole)} whole runs, each scenario at its best rate: {total}")
    return 0


def _print_plan(options: SweepOptions, runs: list[PlannedRun], timed: dict | None = None) -> int:
    from fzmm.sweep.plan_table import print_plan

    facts, costs = _planned(options, runs, timed)
    print_plan([read_status(run) for run in runs], facts, costs, options.gpus_per_run)
    return 0


def _planned(
    options: SweepOptions, runs: list[PlannedRun], timed: dict | None
) -> tuple[dict, dict]:
    """Return the facts of some runs' configs and the costs of the runs."""
    from fzmm.sweep.as_asked import check_as_asked
    from fzmm.sweep.config_facts import read_all_facts
    from fzmm.sweep.cost import estimate

    facts = read_all_facts(runs, options.training_arguments)
    if not options.redo:
        check_as_asked(runs, facts, options.training_arguments)
    return facts, estimate([read_status(run) for run in runs], facts, options, timed)


if __name__ == "__main__":
    run_cli(main)
