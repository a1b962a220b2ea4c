"""Which class is taken for which, and what freezing changes of it."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.conclusions.scenario_pair import scenario_pair
from fzmm.analysis.detections.confusion import confusion_matrix, shares
from fzmm.analysis.detections.run_detections import AmountDetections, RunDetections
from fzmm.analysis.figures import style
from fzmm.analysis.figures.detections.panels import NEEDS, panels, scenario_name
from fzmm.analysis.figures.report_figure import ReportFigure

MOST_CLASSES = 30  # of more the numbers cannot be read
_SIDE_BY_SIDE = 12  # classes up to which two matrices fit beside each other
_LARGEST_CHANGE = 30  # pp at which the colour is full


def draw(conclusions: CohortConclusions):
    """Draw the recommended scenario's matrix and its difference to the other one's."""
    amounts = panels(conclusions)
    if not amounts or len(amounts[0].truth.class_ids) > MOST_CLASSES:
        return None
    count = len(amounts[0].truth.class_ids)
    few = count <= _SIDE_BY_SIDE
    amounts = amounts if few else amounts[:1]
    columns = 2 if few else 1
    side = 1.8 + max(0.26 * (count + 1), 2.6 if few else 0)
    size = ((side + 0.4) * columns, (side + 0.3) * len(amounts) * (2 // columns))
    figure = Figure(figsize=size, layout="constrained")
    figure.runs = []
    axes = iter(figure.subplots(len(amounts) * 2 // columns, columns, squeeze=False).ravel())
    for one in amounts:
        _draw_amount(figure, next(axes), next(axes), one, conclusions)
    return figure


def _draw_amount(figure, left, right, one: AmountDetections, conclusions) -> None:
    pair = scenario_pair(conclusions, one)
    first, second = (one.scenarios[k] for k in (pair.first, pair.second))
    names = [style.plain(scenario_name(conclusions, k), 24) for k in (pair.first, pair.second)]
    where = style.plain(conclusions.cohort.name(one.amount), 24)
    ours, theirs = _shares(first), _shares(second)
    _draw_matrix(left, ours, one, f"{where}: {names[0]} [%]", "Blues", (0, 100))
    limits = -_LARGEST_CHANGE, _LARGEST_CHANGE
    _draw_matrix(right, ours - theirs, one, f"minus {names[1]} [pp]", "PuOr_r", limits)
    figure.runs += [run.run for run in (*first, *second)]


def _shares(runs: list[RunDetections]) -> np.ndarray:
    return shares(sum(confusion_matrix(run.detections, run.truth) for run in runs))


def _draw_matrix(axis, values, one: AmountDetections, title: str, colours: str, limits) -> None:
    axis.imshow(values, cmap=colours, vmin=limits[0], vmax=limits[1])
    names = [style.plain(name, 16) for name in one.truth.class_names] + ["background"]
    axis.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.set_xlabel("detected")
    axis.set_ylabel("annotated")
    axis.set_title(title, fontsize=9.5)
    axis.grid(visible=False)
    look = dict(ha="center", va="center", fontsize=6.5)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value) and abs(value) >= 0.5:  # zeros would hide the rest
            dark = abs(value) > 0.6 * limits[1]
            text = f"{value:.0f}".replace("-", "−")
            axis.text(column, row, text, color="white" if dark else "black", **look)


FIGURE = ReportFigure(
    key="confusion-matrix",
    title="Which class is taken for which",
    needs=f"{NEEDS}, and at most {MOST_CLASSES} classes",
    caption="Left or above, the recommended scenario; right or below, what it changes against the "
    "other one. Each row is an annotated class in percent of what was counted for it: detections "
    "with a score of at least 0.3 that overlap its boxes by an IoU of 0.5, in the column of their "
    "class, and in the last column boxes that none of its own class overlaps; the last row are "
    "detections of nothing. The definition is that of MMDetection’s confusion_matrix.py. Mean over "
    "seeds; of more than 12 classes the largest data amount alone.",
    draw=draw,
)
