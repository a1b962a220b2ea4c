"""Training-split and validation mAP over training (Figures 11 and 12 of the thesis)."""

from __future__ import annotations

from functools import partial

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.figures import style
from fzmm.analysis.figures.report_figure import ReportFigure

TRAIN_METRIC = "train_split/bbox_mAP"


def draw(conclusions: CohortConclusions, trainable: int):
    """Draw a panel for one data amount of each size, for one scenario.

    Returns:
        The figure, or None where no run of the scenario has training-split rows.
    """
    cohort = conclusions.cohort
    amounts = [
        amount for amount in cohort.main_amounts if runs_with_split(cohort.cell(amount, trainable))
    ]
    if not amounts:
        return None
    amounts = style.limited(amounts)
    figure, axes = style.new_figure(len(amounts))

    for axis, amount in zip(axes, amounts, strict=True):
        runs = runs_with_split(cohort.cell(amount, trainable))
        style.draw_curve(axis, runs, style.TRAIN, TRAIN_METRIC)
        style.draw_curve(axis, runs, style.VALIDATION)
        style.decay_lines(axis, runs[0].milestones)
        style.panel_title(axis, cohort.name(amount), runs[0])
        style.iteration_axis(axis)

    axes[0].set_ylabel("mAP [%]")
    handles = [
        style.handle("training images", **style.TRAIN),
        style.handle("validation images", **style.VALIDATION),
        style.decay_handle(),
    ]
    style.legend(figure, handles, "mAP on")

    return figure


def runs_with_split(runs):
    """Return the runs that logged mAP on their training images."""
    return [run for run in runs if len(run.curve(TRAIN_METRIC)[0]) > 1]


FIGURES = (
    ReportFigure(
        key="train-val-3-trainable",
        title="Training and validation mAP over training, 3 trainable stages",
        reference="Figure 11",
        needs="runs with frozen_stages=1 that log train_split/bbox_mAP",
        caption="Where the two part and validation falls, the model memorises its training images.",
        draw=partial(draw, trainable=3),
        by_amount=True,
    ),
    ReportFigure(
        key="train-val-0-trainable",
        title="Training and validation mAP over training, 0 trainable stages",
        reference="Figure 12",
        needs="runs with frozen_stages=4 that log train_split/bbox_mAP",
        caption="The same with the whole backbone frozen.",
        draw=partial(draw, trainable=0),
        by_amount=True,
    ),
    ReportFigure(
        key="train-val-5-trainable",
        title="Training and validation mAP over training, unfrozen",
        needs="runs with frozen_stages=-1 that log train_split/bbox_mAP",
        caption="The same with nothing frozen.",
        draw=partial(draw, trainable=5),
        by_amount=True,
    ),
)
