"""Showing what a sweep would do, run by run, and what that would cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from fzmm.sweep.config_facts import ConfigFacts
from fzmm.sweep.cost import Cost
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.run_dir.state import RunStatus, State
from fzmm.sweep.table import Display
from fzmm.utils.durations import duration
from fzmm.utils.terminal import printable

_LEFT = ("run", "state", "from")
_RIGHT = ("iterations", "frozen_stages", "images/it", "time")


def print_plan(
    statuses: Sequence[RunStatus],
    facts: Mapping[Path, ConfigFacts],
    costs: Mapping[PlannedRun, Cost],
    gpus_per_run: int | None = None,
) -> None:
    """Print the table of a plan and its sum.

    Args:
        statuses: The runs.
        facts: Of each run's config.
        costs: Of each run.
        gpus_per_run: GPUs of each run; by default what the schedule is made for.
    """
    table = Table(pad_edge=False, box=None, header_style="bold")
    for column in (*_LEFT[:2], *_RIGHT, _LEFT[2]):
        justify = "right" if column in _RIGHT else "left"
        table.add_column(column, justify=justify, no_wrap=column == "run")

    for status in statuses:
        config, cost = facts[status.run.config], costs[status.run]
        table.add_row(
            *(Text(printable(cell)) for cell in _cells(status, config, cost, gpus_per_run))
        )

    Display().wide_console(120).print(table)

    seconds = [cost.seconds for cost in costs.values() if cost.seconds is not None]
    left = sum(status.state is not State.DONE for status in statuses)
    total = duration(sum(seconds))
    print(f"{left} of {len(statuses)} runs to train: {total} of one run at a time")


def _cells(
    status: RunStatus, config: ConfigFacts, cost: Cost, gpus_per_run: int | None
) -> list[str]:
    images = config.batch_size * (gpus_per_run or config.gpus) if config.batch_size else "-"
    return [
        status.run.name,
        status.state.value,
        f"{config.max_iters:,}" if config.max_iters else "-",
        str(config.frozen_stages),
        str(images),
        duration(cost.seconds),
        cost.source,
    ]
