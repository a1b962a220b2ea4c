"""What each kind of error costs more than without freezing."""

from __future__ import annotations

import numpy as np

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.detections.error_kinds import KINDS
from fzmm.analysis.figures import style
from fzmm.analysis.figures.detections.panels import NEEDS, finish, panels, scenario_legend
from fzmm.analysis.figures.report_figure import ReportFigure


def draw(conclusions: CohortConclusions):
    """Draw how much more each kind of error costs than without freezing."""
    amounts = panels(conclusions)
    if not amounts:
        return None
    figure, axes = style.new_figure(len(amounts), height=3.6)
    for axis, one in zip(axes, amounts, strict=True):
        width = 0.8 / len(one.others)
        for place, k in enumerate(one.others):
            change = 100 * (one.mean(k, "costs") - one.mean(one.reference, "costs"))
            x = np.arange(len(KINDS)) - 0.4 + width * (place + 0.5)
            look = style.scenario_look(conclusions.cohort, k)
            inside = look.get("markerfacecolor", look["color"])  # white for an arm
            axis.bar(x, change, width, color=inside, edgecolor=look["color"])
        axis.set_xticks(range(len(KINDS)), KINDS, rotation=35, ha="right")
        axis.axhline(0, color="#444444", linewidth=0.8)
        finish(figure, axis, one, conclusions)
    axes[0].set_ylabel("more mAP$_{50}$ lost to it [pp]")
    scenario_legend(figure, amounts, conclusions, bars=True)
    return figure


FIGURE = ReportFigure(
    key="error-kinds",
    title="Which errors freezing adds",
    needs=NEEDS,
    caption="Above zero, the scenario loses more mAP at IoU 0.5 to that kind of error than the "
    "unfrozen one: the mAP that putting all errors of the kind right would give (TIDE, Bolya "
    "2020). Kinds hide one another and do not add up.",
    draw=draw,
)
