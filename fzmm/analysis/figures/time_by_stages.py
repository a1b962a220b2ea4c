"""Training time against trainable stages (Figure 13 of the thesis)."""

from __future__ import annotations

from functools import partial

import numpy as np

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.figures import style
from fzmm.analysis.figures.report_figure import ReportFigure
from fzmm.analysis.statistics import measures
from fzmm.analysis.statistics.cohorts import Cohort, TrainingSet
from fzmm.analysis.statistics.hardware import cohorts_by_hardware

MOST_PANELS = 6  # kinds of hardware, those with the most runs


def draw(conclusions: CohortConclusions):
    """Draw training time for one data amount of each size, the mean over its runs.

    It is the one with the most times, which need not be the one that other figures show.

    Returns:
        The figure, with a panel for each kind of hardware, or None where none has two scenarios
        with times.
    """
    cohort = conclusions.cohort
    amounts = style.limited([max(level, key=partial(_times, cohort)) for level in cohort.levels])
    parts = {k: part for k, part in cohorts_by_hardware(cohort).items() if _timed(part, amounts)}
    if not parts:
        return None
    figure, axes = style.new_figure(min(len(parts), MOST_PANELS), share_y=False)
    used = {}
    for axis, (kind, part) in zip(axes, parts.items(), strict=False):
        used.update(_draw(axis, cohort, part, amounts))
        if len(parts) > 1:
            axis.set_title(style.device(kind))

    handles = [
        style.handle(style.plain(cohort.name(amount)), **used[amount])
        for amount in amounts
        if amount in used
    ]
    style.legend(figure, handles, "training data")
    return figure


def _times(cohort: Cohort, amount: TrainingSet) -> tuple[int, int]:
    """How many runs of a data amount have times, and how many finished."""
    runs = cohort.at([amount])
    return sum(measures.training_time(run) is not None for run in runs), len(runs)


def _timed(part: Cohort, amounts: list[TrainingSet]) -> bool:
    """Whether runs of two scenarios have times."""
    runs = [run for run in part.at(amounts) if measures.training_time(run)]
    return len({part.key(run) for run in runs}) > 1


def _draw(axis, cohort: Cohort, part: Cohort, amounts: list[TrainingSet]) -> dict:
    """Draw one kind of hardware and return the look of each data amount that it has."""
    seconds = [measures.training_time(run) for run in part.runs]
    unit, scale = time_unit([value for value in seconds if value])
    looks = {}
    for index, amount in enumerate(amounts):
        look = style.AMOUNTS[index % len(style.AMOUNTS)]
        points = []
        for k in cohort.compared:
            times = [measures.training_time(run) for run in part.cell(amount, k)]
            times = [time * scale for time in times if time is not None]
            if times:
                points.append((k, float(np.mean(times))))
                style.spread_bars(axis, k, times, **look)
                axis.figure.runs += part.cell(amount, k)
        if points:
            style.stage_line(axis, cohort, *map(list, zip(*points, strict=True)), **look)
            looks[amount] = look

    axis.set_ylabel(f"training time [{unit}]")
    axis.set_ylim(0, 1.06 * axis.dataLim.ymax)
    style.stage_axis(axis, cohort.compared, cohort)
    return looks


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
    " Small open marks are single repeats. Runs on different devices have panels of their own.",
    draw=draw,
    by_amount=True,
)
