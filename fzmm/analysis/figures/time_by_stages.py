"""Training time against trainable stages (Figure 13 of the thesis)."""

from __future__ import annotations

import numpy as np

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.figures import style
from fzmm.analysis.figures.report_figure import ReportFigure
from fzmm.analysis.statistics import measures


def draw(conclusions: CohortConclusions):
    """Draw training time for one data amount of each size, the mean over its runs.

    Returns:
        The figure, or None with fewer than two scenarios that have times.
    """
    cohort = conclusions.cohort
    timed = {
        k: [run for run in cohort.runs if run.trainable == k and measures.training_time(run)]
        for k in cohort.scenarios
    }
    if sum(bool(runs) for runs in timed.values()) < 2:
        return None
    unit, scale = time_unit([measures.training_time(r) for runs in timed.values() for r in runs])

    figure, (axis,) = style.new_figure()
    handles = []
    for index, amount in enumerate(style.limited(cohort.main_amounts)):
        look = style.AMOUNTS[index % len(style.AMOUNTS)]
        points = []
        for k in cohort.scenarios:
            times = [measures.training_time(run) for run in cohort.cell(amount, k)]
            times = [time * scale for time in times if time is not None]
            if times:
                points.append((k, float(np.mean(times))))
                style.spread_bars(axis, k, times, **look)
                figure.runs += cohort.cell(amount, k)
        if points:
            axis.plot(*zip(*points, strict=True), **look)
            handles.append(style.handle(style.plain(cohort.name(amount)), **look))

    axis.set_ylabel(f"training time [{unit}]")
    axis.set_ylim(0, 1.06 * axis.dataLim.ymax)
    style.stage_axis(axis, cohort.scenarios, cohort.frozen_stages)
    style.legend(figure, handles, "training data")
    return figure


def time_unit(seconds: list[float]) -> tuple[str, float]:
    """Return the unit that suits some durations and the factor from seconds to it."""
    longest = max(seconds)
    if longest >= 2 * 3600:
        return "h", 1 / 3600
    return ("min", 1 / 60) if longest >= 300 else ("s", 1.0)


FIGURE = ReportFigure(
    key="training-time",
    title="Training time against trainable stages",
    reference="Figure 13",
    needs="finished runs of two scenarios with times",
    caption="Time in training steps only: no data loading, validation or checkpoints."
    " Small open marks are single repeats.",
    draw=draw,
    by_amount=True,
)
