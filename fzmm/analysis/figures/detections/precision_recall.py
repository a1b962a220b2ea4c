"""Precision at each recall, for every scenario."""

from __future__ import annotations

import numpy as np

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.figures import style
from fzmm.analysis.figures.detections.panels import NEEDS, finish, panels, scenario_legend
from fzmm.analysis.figures.report_figure import ReportFigure


def draw(conclusions: CohortConclusions):
    """Draw the mean precision over classes at each recall, at IoU 0.5 and 0.75."""
    amounts = panels(conclusions)
    if not amounts:
        return None
    figure, axes = style.new_figure(len(amounts), height=4.2)
    recall = np.linspace(0, 100, 101)
    for axis, one in zip(axes, amounts, strict=True):
        for place, k in enumerate(one.in_order):
            look = style.scenario_look(conclusions.cohort, k) | dict(markersize=4)
            curves = 100 * one.mean(k, "curve_50"), 100 * one.mean(k, "curve_75")
            for curve, line in zip(curves, ("-", "--"), strict=True):
                look |= dict(linestyle=line, markevery=(4 + 3 * place, 25))
                axis.plot(recall, curve, **look)
        axis.set_xlabel("recall [%]")
        axis.set_xlim(0, 100)
        axis.set_ylim(0, 101)
        finish(figure, axis, one, conclusions)
    axes[0].set_ylabel("precision [%]")
    lines = [
        style.handle("IoU 0.5", color=style.GREY),
        style.handle("IoU 0.75", color=style.GREY, linestyle="--"),
    ]
    scenario_legend(figure, amounts, conclusions, reference=True, more=lines)
    return figure


FIGURE = ReportFigure(
    key="precision-recall",
    title="Precision at each recall",
    needs=NEEDS,
    caption="Mean over classes and seeds, interpolated as in COCO's AP.",
    draw=draw,
)
