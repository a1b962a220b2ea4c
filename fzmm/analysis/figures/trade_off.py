"""What each trainable stage costs in time and gives in mAP; the recommended one is ringed."""

from __future__ import annotations

import numpy as np

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.conclusions.recommendation import average
from fzmm.analysis.figures import style
from fzmm.analysis.figures.report_figure import ReportFigure
from fzmm.analysis.figures.time_by_stages import time_unit
from fzmm.analysis.statistics import measures
from fzmm.analysis.statistics.noise import best_map


def draw(conclusions: CohortConclusions):
    """Draw a panel for one data amount of each size and a mark for each scenario.

    Returns:
        The figure, or None where no recommendation has times.
    """
    cohort = conclusions.cohort
    recommended = {
        recommendation.amount: recommendation for recommendation in conclusions.recommendations
    }
    panels = []
    for amount in cohort.main_amounts:
        points = {}
        for k in cohort.scenarios:
            runs = cohort.cell(amount, k)
            time = average(runs, measures.training_time)
            if runs and time is not None:
                points[k] = time, float(np.mean([best_map(run) for run in runs]))
        if len(points) > 1 and amount in recommended:
            panels.append((amount, points))

    if not panels:
        return None
    panels = style.limited(panels)
    unit, scale = time_unit([time for _, points in panels for time, _ in points.values()])
    figure, axes = style.new_figure(len(panels))

    for axis, (amount, points) in zip(axes, panels, strict=True):
        line = np.array(list(points.values())) * (scale, 100)
        axis.plot(*line.T, color=style.GREY, linewidth=1, zorder=1)
        figure.runs += cohort.at([amount])
        for k, (x, y) in zip(points, line, strict=True):
            axis.plot(x, y, **style.stage_look(k), markersize=8, zorder=3)
            if k == recommended[amount].trainable:
                axis.plot(x, y, **style.RING, zorder=2)
        axis.set_title(style.plain(cohort.name(amount)))
        axis.set_xlabel(f"training time [{unit}]")
        axis.margins(0.12)

    axes[0].set_ylabel("best mAP [%]")
    used = sorted({k for _, points in panels for k in points})
    handles = [
        style.handle(f"{k} ({cohort.frozen_stages[k]})", **{**style.stage_look(k), "linestyle": ""})
        for k in used
    ]
    handles.append(style.handle("recommended", **style.RING))
    style.legend(figure, handles, "trainable stages\n(frozen_stages)")

    return figure


FIGURE = ReportFigure(
    key="trade-off",
    title="What each trainable stage costs and gives",
    needs="finished runs of two scenarios with times",
    caption="Up is better, left is cheaper. Means over repeats.",
    draw=draw,
    by_amount=True,
)
