"""Repeats, or subsets of one size: mAP and training time of each run (Figures 8 and 9)."""

from __future__ import annotations

from functools import partial

import numpy as np

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.figures import style
from fzmm.analysis.figures.report_figure import ReportFigure
from fzmm.analysis.figures.time_by_stages import time_unit
from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics import measures
from fzmm.analysis.statistics.cohorts import Cohort
from fzmm.analysis.statistics.hardware import by_hardware, hardware
from fzmm.analysis.statistics.noise import best_map

BEST = {**style.AMOUNTS[0]}
LAST = {**style.AMOUNTS[1]}


def draw(conclusions: CohortConclusions, kind: str):
    """Draw each run as a grey mark and the mean over the runs as a line.

    Args:
        conclusions: What is known of the cohort.
        kind: ``repeats`` (the data amount with the most runs that differ in the seed alone) or
            ``subsets`` (the size with the most subsets, one run of each).

    Returns:
        The figure, or None where no set-up has two runs.
    """
    cohort = conclusions.cohort
    name, cells = repeated(cohort) if kind == "repeats" else varied(cohort)
    if not cells:
        return None
    timed = any(measures.training_time(run) is not None for runs in cells.values() for run in runs)
    figure, axes = style.new_figure(2 if timed else 1, share_y=False)
    _draw(axes[0], cohort, cells, best_map, 100, BEST)
    _draw(axes[0], cohort, cells, measures.last, 100, LAST)
    axes[0].set_ylabel("mAP [%]")

    axes[0].set_title("mAP")
    if timed:
        axes[1].set_title(_draw_times(axes[1], cohort, cells))
    for axis in axes:
        style.stage_axis(axis, list(cells), cohort)
    noun = "one run" if kind == "repeats" else "one subset"
    best = "best or time" if timed else "best"
    handles = [
        style.handle("best mAP, mean", **BEST),
        style.handle("last mAP, mean", **LAST),
        *([style.handle("training time, mean", **style.TIME)] if timed else []),
        style.handle(f"{noun}, {best}", color=style.GREY, marker="o", linestyle=""),
        style.handle(f"{noun}, last", color=style.GREY, marker="s", linestyle=""),
    ]

    figure.runs += [run for runs in cells.values() for run in runs]
    style.legend(figure, handles, name)
    return figure


def repeated(cohort: Cohort) -> tuple[str, dict[int, list[Run]]]:
    """Return the data amount with the most repeats and its set-ups of two or more runs."""
    best: dict[int, list[Run]] = {}
    name = ""
    for amount in cohort.amounts:
        cells = {k: runs for k, runs in cohort.all_cells(amount).items() if len(runs) > 1}
        if sum(map(len, cells.values())) > sum(map(len, best.values())):
            best, name = cells, style.plain(cohort.name(amount))
    return name, best


def varied(cohort: Cohort) -> tuple[str, dict[int, list[Run]]]:
    """Return the size with the most subsets and, for each scenario, one run of each subset."""
    level = max(cohort.levels, key=len, default=[])
    cells = {}
    for k in cohort.compared:
        runs = [run for amount in level for run in cohort.cell(amount, k)[:1]]
        if len(runs) > 1:
            cells[k] = runs
    return ",\n".join(style.plain(cohort.name(amount)) for amount in level), cells


def _draw_times(axis, cohort: Cohort, cells: dict[int, list[Run]]) -> str:
    """Draw the times of the runs on the hardware that most have, and return the title."""
    kinds = by_hardware([run for runs in cells.values() for run in runs])
    kind, timed = next(iter(kinds.items()), ("", []))
    times = [measures.training_time(run) for run in timed]
    times = [time for time in times if time is not None]
    if times:
        unit, scale = time_unit(times)
        same = {k: [run for run in runs if hardware(run) == kind] for k, runs in cells.items()}
        _draw(axis, cohort, same, measures.training_time, scale, style.TIME)
        axis.set_ylabel(f"training time [{unit}]")
    return f"training time,\n{style.device(kind)}" if len(kinds) > 1 else "training time"


def _draw(
    axis, cohort: Cohort, cells: dict[int, list[Run]], measure, scale: float, look: dict
) -> None:
    means = {}
    for k, runs in cells.items():
        values = [measure(run) for run in runs]
        values = [scale * value for value in values if value is not None]
        if values:
            axis.plot(
                np.full(len(values), k),
                values,
                linestyle="",
                color=style.GREY,
                marker=look["marker"],
                alpha=0.6,
                zorder=2,
            )
            means[k] = float(np.mean(values))

    dashes = {**look, "marker": "_", "markersize": 12}
    style.stage_line(axis, cohort, list(means), means.values(), **dashes, zorder=3)


FIGURES = (
    ReportFigure(
        key="repeats",
        title="Repeats of the same set-up",
        reference="Figure 8",
        needs="a scenario run with two seeds",
        caption="Grey marks are single runs that differ in the seed alone; lines and dashes are "
        "their means.",
        draw=partial(draw, kind="repeats"),
    ),
    ReportFigure(
        key="subset-variations",
        title="Subsets of the same size",
        reference="Figure 9",
        needs="runs on two subsets of one size",
        caption="Grey marks are runs on different subsets (the first seed of each); "
        "lines and dashes are their means.",
        draw=partial(draw, kind="subsets"),
    ),
)
