"""What tools/sweep.py shows without training: the table and the plan."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from fzmm.sweep.run_dir.state import State, read_status
from fzmm.sweep.runs import plan_runs
from fzmm.sweep.table import Display, duration


def add_slurm_options(parser: argparse.ArgumentParser) -> None:
    """Add the ``--slurm-*`` options that are passed on to ``sbatch``."""
    group = parser.add_argument_group("slurm", "passed on to sbatch; docs/cluster.md")
    group.add_argument("--slurm-partition")
    group.add_argument("--slurm-account")
    group.add_argument("--slurm-qos")
    group.add_argument("--slurm-time", type=int, metavar="MINUTES", help="limit of one job")
    group.add_argument("--slurm-nodes", type=int, help="nodes of one run")
    group.add_argument("--slurm-cpus-per-task", type=int)
    group.add_argument("--slurm-mem")
    group.add_argument("--slurm-constraint")
    group.add_argument("--slurm-array-parallelism", type=int, help="jobs at once")
    group.add_argument("--slurm-signal-delay-s", type=int, help="warning before the time limit")
    group.add_argument("--slurm-setup", nargs="+", help="shell lines before the training")
    group.add_argument("--slurm-cpu", action="store_true", help="ask for no GPU; for tests")
    group.add_argument(
        "--slurm-option", nargs="+", default=[], metavar="KEY=VALUE", help="any other of sbatch's"
    )


def slurm_options(args: argparse.Namespace) -> dict:
    """Return the ``--slurm-*`` options that were given, by submitit's names."""
    options = {
        key.removeprefix("slurm_"): value
        for key, value in vars(args).items()
        if key.startswith("slurm_") and key != "slurm_option" and value not in (None, False)
    }
    extra = dict(item.partition("=")[::2] for item in args.slurm_option)
    return {**options, **({"additional_parameters": extra} if extra else {})}


def show_status(
    configs: Sequence[str], seeds: Sequence[int], root: str, interval: float = 2
) -> int:
    """Print the table of a sweep; on a terminal keep it up to date until nothing runs any more."""
    runs = plan_runs(configs, seeds, root)
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


def show_plan(
    configs: Sequence[str],
    seeds: Sequence[int],
    root: str,
    gpus_per_run: int | None = None,
    budget: float = 1.0,
    arguments: Sequence[str] = (),
) -> int:
    """Print what a sweep would do and what that would cost."""
    from fzmm.sweep.cost import estimate
    from fzmm.sweep.plan import read_all_facts
    from fzmm.sweep.sweep import check_arguments, passed_arguments

    runs = plan_runs(configs, seeds, root)
    passed = passed_arguments(arguments, budget)
    check_arguments(runs, passed)
    facts = read_all_facts(runs, passed)
    statuses = [read_status(run) for run in runs]
    costs = estimate(statuses, facts)
    table = Table(pad_edge=False, box=None, header_style="bold")
    for column in ("run", "state", "iterations", "frozen_stages", "images/it", "time", "from"):
        right = column in ("iterations", "frozen_stages", "images/it", "time")
        table.add_column(column, justify="right" if right else "left", no_wrap=column == "run")
    for status in statuses:
        fact, cost = facts[status.run.config], costs[status.run]
        table.add_row(
            status.run.name,
            status.state.value,
            f"{fact.max_iters:,}" if fact.max_iters else "-",
            str(fact.frozen_stages),
            str(fact.batch_size * (gpus_per_run or fact.gpus)) if fact.batch_size else "-",
            duration(cost.seconds),
            cost.source,
        )
    console = Display().console
    width = console.width if console.is_terminal else 120
    Console(file=console.file, width=width, highlight=False).print(table)
    known = [cost.seconds for cost in costs.values() if cost.seconds is not None]
    left = sum(status.state is not State.DONE for status in statuses)
    print(f"{left} of {len(runs)} runs to train: {duration(sum(known))} of one run at a time")
    return 0
