"""Best and last mAP against trainable stages (Figures 8a, 9a and 10 of the thesis)."""

from __future__ import annotations

import numpy as np

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.figures import style
from fzmm.analysis.figures.report_figure import ReportFigure
from fzmm.analysis.statistics import measures, thesis
from fzmm.analysis.statistics.estimates import mean
from fzmm.analysis.statistics.noise import best_map, best_map_noise


def draw(conclusions: CohortConclusions):
    """Draw best and last mAP for one data amount of each size, the mean over its runs.

    Returns:
        The figure, or None with fewer than two scenarios.
    """
    cohort = conclusions.cohort
    amounts = [amount for amount in cohort.main_amounts if cohort.at([amount])]
    if len(cohort.compared) < 2 or not amounts:
        return None
    amounts = style.limited(amounts)
    figure, (axis,) = style.new_figure()
    handles = []
    noise = best_map_noise(cohort)
    for amount, look in zip(amounts, _looks(len(amounts)), strict=True):
        stages = [k for k in cohort.compared if cohort.cell(amount, k)]
        figure.runs += cohort.at([amount])
        for measure, kind in ((best_map, "best"), (measures.last, "last")):
            values = [[measure(run) for run in cohort.cell(amount, k)] for k in stages]
            shown = dict(look)
            if kind == "last":
                shown.update(linestyle=":", markerfacecolor="white", linewidth=1.2)
            means = style.percent([np.mean(v) for v in values])
            style.stage_line(axis, cohort, stages, means, **shown)
            if kind == "best":
                style.interval_bars(axis, stages, [mean(v, noise) for v in values], look["color"])
            handles.append(style.handle(f"{style.plain(cohort.name(amount))}, {kind} mAP", **shown))

    if noise is not None:
        handles.append(style.handle("95% interval of best mAP", color=style.GREY, linewidth=1.4))
    if thesis.is_coco(cohort.runs) and "coco100" in [amount.name for amount in amounts]:
        mark = {"color": style.GREY, "marker": "*", "linestyle": "", "markersize": 11}
        axis.plot(3, thesis.BENCHMARK_MAP, zorder=5, **mark)
        handles.append(style.handle("torchvision's benchmark\n(reported)", **mark))

    axis.set_ylabel("mAP [%]")
    style.stage_axis(axis, cohort.compared, cohort)
    style.legend(figure, handles, "training data")
    return figure


def _looks(count: int):
    return [style.AMOUNTS[i % len(style.AMOUNTS)] for i in range(count)]


FIGURE = ReportFigure(
    key="best-last-map",
    title="Best and last mAP against trainable stages",
    reference="Figure 10",
    needs="finished runs of two scenarios",
    caption="Filled marks: best mAP of a run; open marks: mAP of its last evaluation."
    " The distance between them is what training on has cost. Means over "
    "repeats; vertical lines are the 95% intervals of best mAP, from the spread of all repeats.",
    draw=draw,
    by_amount=True,
)
