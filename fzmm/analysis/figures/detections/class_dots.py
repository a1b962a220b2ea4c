"""AP of each class against that without freezing."""

from __future__ import annotations

import numpy as np

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.detections.run_detections import AmountDetections
from fzmm.analysis.figures import style
from fzmm.analysis.figures.detections.panels import (
    NEEDS,
    finish,
    panels,
    scenario_legend,
    scenario_name,
)
from fzmm.analysis.figures.report_figure import ReportFigure
from fzmm.analysis.statistics.cohorts import Cohort
from fzmm.datasets.sampling_error import FEW_BOXES


def draw(conclusions: CohortConclusions):
    """Draw a dot for each class and scenario, and the range over seeds as a line."""
    amounts = panels(conclusions)
    if not amounts:
        return None
    figure, axes = style.new_figure(len(amounts), share_y=False)
    rows = len(amounts[0].truth.class_ids)
    figure.set_size_inches(3.7 * len(amounts) + 2.2, 1.7 + 0.19 * rows)
    for axis, one in zip(axes, amounts, strict=True):
        _draw_classes(axis, one, conclusions.cohort)
        finish(figure, axis, one, conclusions)
        axis.set_xlabel(f"AP minus that of {scenario_name(conclusions, one.reference)} [pp]")
    scenario_legend(figure, amounts, conclusions)
    return figure


def sorted_classes(one: AmountDetections, trainable: int) -> np.ndarray:
    """Return the classes that have boxes, the one that a scenario costs most first."""
    change = one.change(trainable)
    known = np.flatnonzero(np.isfinite(change))
    return known[np.argsort(change[known], kind="stable")]


def _draw_classes(axis, one: AmountDetections, cohort: Cohort) -> None:
    order = sorted_classes(one, one.most_frozen)
    y = np.arange(len(order))
    base = one.mean(one.reference, "class_ap")
    for place, k in enumerate(one.others):
        look = style.scenario_look(cohort, k)
        runs = 100 * (np.array([run.class_ap for run in one.scenarios[k]]) - base)[:, order]
        at = y + min(0.16, 0.8 / len(one.others)) * (place - (len(one.others) - 1) / 2)
        axis.hlines(at, runs.min(axis=0), runs.max(axis=0), color=look["color"], linewidth=1)
        axis.plot(runs.mean(axis=0), at, **look | {"linestyle": "", "markersize": 4})
    few = one.few[order]
    names = [style.plain(one.truth.class_names[k], 24) for k in order]
    axis.set_yticks(y, [f"{name} *" if f else name for name, f in zip(names, few, strict=True)])
    axis.tick_params(axis="y", labelsize=8)
    axis.set_ylim(len(order) - 0.4, -0.6)
    axis.axvline(0, color="#444444", linewidth=0.8)
    axis.grid(axis="x")


FIGURE = ReportFigure(
    key="ap-by-class",
    title="What freezing changes for each class",
    needs=NEEDS,
    caption="Left is worse than without freezing. A dot is the mean over seeds, a line their "
    "range; the class that the most frozen scenario costs most is on top. "
    f"* fewer than {FEW_BOXES} boxes in the validation images.",
    draw=draw,
)
