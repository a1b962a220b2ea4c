"""What each trainable stage costs in time and gives in mAP; the recommended one is ringed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.conclusions.recommendation import average
from fzmm.analysis.figures import style
from fzmm.analysis.figures.report_figure import ReportFigure
from fzmm.analysis.figures.time_by_stages import time_unit
from fzmm.analysis.statistics import measures
from fzmm.analysis.statistics.cohorts import Cohort, TrainingSet
from fzmm.analysis.statistics.hardware import cohorts_by_hardware
from fzmm.analysis.statistics.noise import best_map


@dataclass(frozen=True)
class _Panel:
    """One data amount on one kind of hardware: time and best mAP by number of trainable stages."""

    amount: TrainingSet
    kind: str
    points: dict[int, tuple[float, float]]


def draw(conclusions: CohortConclusions):
    """Draw a panel for one data amount of each size, and a mark for each scenario.

    A data amount that was trained on several kinds of hardware has a panel for each.

    Returns:
        The figure, or None where no recommendation has times.
    """
    cohort = conclusions.cohort
    recommended = {one.amount: one.trainable for one in conclusions.recommendations}
    parts = cohorts_by_hardware(cohort)
    panels = [
        panel
        for amount in cohort.main_amounts
        for kind, part in parts.items()
        if amount in recommended and len((panel := _panel(cohort, amount, kind, part)).points) > 1
    ]
    if not panels:
        return None
    panels = style.limited(panels)
    units = {kind: _unit([panel for panel in panels if panel.kind == kind]) for kind in parts}
    figure, axes = style.new_figure(len(panels))

    for axis, panel in zip(axes, panels, strict=True):
        figure.runs += cohort.at([panel.amount])
        _draw(axis, cohort, panel, units[panel.kind], recommended[panel.amount])
        title = style.plain(cohort.name(panel.amount))
        axis.set_title(f"{title}\n{style.device(panel.kind)}" if len(parts) > 1 else title)

    axes[0].set_ylabel("best mAP [%]")
    used = sorted({k for panel in panels for k in panel.points})
    handles = [
        style.handle(
            style.plain(cohort.scenario_name(k)),
            **{**style.scenario_look(cohort, k), "linestyle": ""},
        )
        for k in used
    ]
    handles.append(style.handle("recommended", **style.RING))
    style.legend(figure, handles, style.scenario_legend(cohort))

    return figure


def _panel(cohort: Cohort, amount: TrainingSet, kind: str, part: Cohort) -> _Panel:
    points = {}
    for k in cohort.compared:
        time = average(part.cell(amount, k), measures.training_time)
        if time is not None:  # its mAP compares across hardware, so all repeats count
            runs = cohort.cell(amount, k)
            points[k] = time, float(np.mean([best_map(run) for run in runs]))
    return _Panel(amount, kind, points)


def _unit(panels: list[_Panel]) -> tuple[str, float]:
    times = [time for panel in panels for time, _ in panel.points.values()]
    return time_unit(times) if times else ("s", 1.0)


def _draw(axis, cohort: Cohort, panel: _Panel, unit: tuple[str, float], recommended: int) -> None:
    line = np.array(list(panel.points.values())) * (unit[1], 100)
    stages = np.array([k not in cohort.arms for k in panel.points])
    axis.plot(*line[stages].T, color=style.GREY, linewidth=1, zorder=1)
    for k, (x, y) in zip(panel.points, line, strict=True):
        axis.plot(x, y, **style.scenario_look(cohort, k), markersize=8, zorder=3)
        if k == recommended:
            axis.plot(x, y, **style.RING, zorder=2)
    axis.set_xlabel(f"training time [{unit[0]}]")
    axis.margins(0.12)


FIGURE = ReportFigure(
    key="trade-off",
    title="What each trainable stage costs and gives",
    needs="finished runs of two scenarios with times",
    caption="Up is better, left is cheaper. Means over repeats; times on one kind of device each.",
    draw=draw,
    by_amount=True,
)
