"""Best mAP against the amount of training data, with the fitted curve to twice the data."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.figures import style
from fzmm.analysis.figures.report_figure import ReportFigure


def draw(conclusions: CohortConclusions):
    """Draw the best scenario of each data amount and, where it could be fitted, the curve.

    Returns:
        The figure, or None with one data amount.
    """
    curve = conclusions.learning_curve
    if curve is None:
        return None
    figure, (axis,) = style.new_figure()
    handles = []
    for k in sorted({point.trainable for point in curve.points}):
        look = {**style.stage_look(k), "linestyle": ""}
        points = [point for point in curve.points if point.trainable == k]
        axis.plot(
            [point.size for point in points],
            style.percent([point.value.value for point in points]),
            **look,
            zorder=4,
        )
        sizes = [point.size for point in points]
        style.interval_bars(axis, sizes, [point.value for point in points], look["color"])
        handles.append(style.handle(f"measured, {k} trainable stages", **look))

    largest = curve.points[-1].size
    figure.runs += [run for point in curve.points for run in point.runs]
    sizes = sorted({point.size for point in curve.points})
    if curve.prediction is not None:
        grid = np.geomspace(sizes[0], 2 * largest, 60)
        inside = grid <= largest * 1.0001
        middle, low, high = (np.array(style.percent(values)) for values in curve.band(grid))
        axis.plot(grid[inside], middle[inside], color=style.BLACK, linewidth=1.4)
        axis.plot(grid[~inside], middle[~inside], color=style.BLACK, linestyle="--")
        axis.fill_between(grid, low, high, color=style.BLACK, alpha=0.12, lw=0)
        handles += [
            style.handle("mean of the laws", color=style.BLACK, linewidth=1.4),
            style.handle("predicted", color=style.BLACK, linestyle="--"),
            style.handle("95% of any law", color=style.BLACK, alpha=0.15, linewidth=8),
        ]
        sizes = [*sizes, 2 * largest]

    axis.set_xscale("log")
    axis.xaxis.set_major_locator(FixedLocator(sizes))
    axis.xaxis.set_minor_locator(NullLocator())
    write = (lambda v, _: f"{v:,.0f}") if curve.unit == "images" else (lambda v, _: f"{100 * v:g}%")
    axis.xaxis.set_major_formatter(FuncFormatter(write))
    axis.set_xlim(sizes[0] * 0.85, np.max(sizes) * 1.18)
    unit = "training images" if curve.unit == "images" else "share of the training images"
    axis.set_xlabel(f"{unit} (logarithmic)")

    axis.set_ylabel("best mAP [%]")
    style.legend(figure, handles, "best scenario of\neach data amount")
    return figure


FIGURE = ReportFigure(
    key="learning-curve",
    title="Best mAP against the amount of data",
    needs="finished runs on two data amounts",
    caption="Each mark is the best scenario of a data amount with its 95% interval, "
    "where there are repeats. Beyond the largest amount the curve is a "
    "prediction.",
    draw=draw,
)
