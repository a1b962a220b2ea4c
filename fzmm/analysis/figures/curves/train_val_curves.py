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
    style.train_val_legend(figure, "mAP on")

    return figure


def runs_with_split(runs):
    """Return the runs that logged mAP on their training images."""
    return [run for run in runs if len(run.curve(TRAIN_METRIC)[0]) > 1]


def _figure(trainable: int, what: str, caption: str, reference: str = "") -> ReportFigure:
    return ReportFigure(
        key=f"train-val-{trainable}-trainable",
        title=f"Training and validation mAP over training, {what}",
        reference=reference,
        needs=f"runs with frozen_stages={4 - trainable} that log {TRAIN_METRIC}",
        caption=caption,
        draw=partial(draw, trainable=trainable),
        by_amount=True,
    )


FIGURES = (
    _figure(
        3,
        "3 trainable stages",
        "Where the two part and validation falls, the model memorises its training images.",
        reference="Figure 11",
    ),
    _figure(
        0, "0 trainable stages", "The same with the whole backbone frozen.", reference="Figure 12"
    ),
    _figure(5, "unfrozen", "The same with nothing frozen."),
)
