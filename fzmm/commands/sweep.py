"""Train many configs with many seeds, here or on a Slurm cluster; call it again to continue."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from fzmm.errors import UserError, run_cli
from fzmm.sweep.executors.base import executor_classes
from fzmm.sweep.options import GRACE_SECONDS, SweepOptions
from fzmm.sweep.pins import read_pins
from fzmm.sweep.run_dir.state import RunStatus, State, read_status
from fzmm.sweep.table import Display
from fzmm.utils.budget_warning import warn_of_short_schedule


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the arguments and sweep, or show how things stand."""
    args, passed = parse(sys.argv[1:] if arguments is None else arguments)
    options = sweep_options(args, passed)
    margin = _margin(args.margin_pp) if args.until_decided else None
    if args.status:
        return show_status(options, args.until_decided)
    warn_of_short_schedule(args.budget)
    if args.dry_run:
        return show_plan(options)
    return sweep(options, margin)


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


def sweep(options: SweepOptions, margin: float | None = None) -> int:
    """Train; the exit code is 0 if every run is done, or queued where nothing waits for it.

    Args:
        options: The sweep's.
        margin: Loss of mAP that does not matter, to add seeds until the choice is decided.
    """
    from fzmm.sweep.sweep import Interrupted, run_sweep

    try:
        statuses = run_sweep(options) if margin is None else _until_decided(options, margin)
    except Interrupted as stopped:
        print(stopped)
        return 130
    bad = [status for status in statuses if status.state is not State.DONE]
    if not options.wait:
        bad = [status for status in bad if status.state is State.FAILED]
    return int(bool(bad))


def _until_decided(options: SweepOptions, margin: float) -> list[RunStatus]:
    from fzmm.analysis.report.recommendation_text import recommendation_text
    from fzmm.sweep.until_decided import sweep_until_decided

    statuses = sweep_until_decided(options, margin)
    if all(status.state is State.DONE for status in statuses):
        folders = [status.run.work_dir for status in statuses]
        print(recommendation_text(folders, margin), end="")
    return statuses


def show_status(options: SweepOptions, further_seeds: bool = False, interval: float = 2) -> int:
    """Print the table of a sweep; on a terminal keep it up to date until nothing runs any more.

    Args:
        options: The sweep's.
        further_seeds: Show also seeds that ``--until-decided`` has added.
        interval: Seconds between two readings.
    """
    from fzmm.sweep.until_decided import runs_so_far

    runs = runs_so_far(options) if further_seeds else options.plan()
    display = Display()
    statuses = [read_status(run) for run in runs]
    if display.console.is_terminal:
        with display:
            while any(status.state is State.RUNNING for status in statuses):
                display.update(statuses)
                time.sleep(interval)
                statuses = [read_status(run) for run in runs]
    display.final(statuses)
    return int(any(status.state is State.FAILED for status in statuses))


def show_plan(options: SweepOptions) -> int:
    """Print what a sweep would do and what that would cost."""
    from fzmm.sweep.as_asked import check_as_asked
    from fzmm.sweep.config_facts import read_all_facts
    from fzmm.sweep.cost import estimate
    from fzmm.sweep.plan_table import print_plan

    runs = options.plan()
    facts = read_all_facts(runs, options.training_arguments)
    if not options.redo:
        check_as_asked(runs, facts, options.training_arguments)
    statuses = [read_status(run) for run in runs]
    print_plan(statuses, facts, estimate(statuses, facts), options.gpus_per_run)
    return 0


if __name__ == "__main__":
    run_cli(main)
