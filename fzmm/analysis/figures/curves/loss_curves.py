"""Training and validation loss over training, a panel for each scenario."""

from __future__ import annotations

from functools import partial

import numpy as np

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.figures import style
from fzmm.analysis.figures.report_figure import ReportFigure
from fzmm.analysis.statistics.cohorts import Cohort, TrainingSet
from fzmm.analysis.statistics.measures import LossCurves, loss_curves


def draw(conclusions: CohortConclusions, smallest: bool):
    """Draw a panel for each scenario, on the largest or the smallest data amount.

    Returns:
        The figure, or None where no run there logged its validation loss twice.
    """
    cohort = conclusions.cohort
    amounts = [amount for amount in cohort.main_amounts if _curves(cohort, amount)]
    if not amounts or (smallest and len(amounts) < 2):
        return None
    amount = amounts[-1 if smallest else 0]
    curves = _curves(cohort, amount)
    keys = style.limited(list(curves))
    figure, axes = style.new_figure(len(keys))

    for axis, key in zip(axes, keys, strict=True):
        runs = [run for run in cohort.cell(amount, key) if loss_curves(run)]
        figure.runs += runs
        for values, look in (("train", style.TRAIN), ("validation", style.VALIDATION)):
            style.draw_mean(axis, _of(curves[key], values), look)
        style.decay_lines(axis, runs[0].milestones)
        axis.set_title(style.plain(cohort.stages_name(key)))
        style.iteration_axis(axis)

    axes[0].set_ylabel(f"loss, {style.plain(cohort.name(amount))}")
    style.train_val_legend(figure, "loss on")
    return figure


def _curves(cohort: Cohort, amount: TrainingSet) -> dict[int, list[LossCurves]]:
    """Return the losses of each run of each scenario that logged them."""
    by_scenario = {
        key: [curves for run in cohort.cell(amount, key) if (curves := loss_curves(run))]
        for key in cohort.compared
    }
    return {key: curves for key, curves in by_scenario.items() if curves}


def _of(curves: list[LossCurves], values: str) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(curve.steps, getattr(curve, values)) for curve in curves]


_CAPTION = (
    "Where the validation loss rises while the training loss falls, the model grows surer of "
    "answers that do not carry over; its mAP can still rise. The training loss is the mean since "
    "the evaluation before. Bands span the lowest to the highest of the repeats."
)
FIGURES = tuple(
    ReportFigure(
        key=f"loss-{name}",
        title=f"Training and validation loss, {title}",
        needs=needs,
        caption=_CAPTION,
        draw=partial(draw, smallest=name == "smallest"),
    )
    for name, title, needs in (
        ("largest", "the most data", "runs that log val/loss, as those of new studies do"),
        ("smallest", "the least data", "runs on two sizes of data that log val/loss"),
    )
)
