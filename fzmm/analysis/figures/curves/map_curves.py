"""Validation mAP over training, all scenarios, a panel for each size (Figure 14 of the thesis)."""

from __future__ import annotations

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.figures import style
from fzmm.analysis.figures.report_figure import ReportFigure


def draw(conclusions: CohortConclusions):
    """Draw a panel for one data amount of each size and a curve for each scenario.

    Returns:
        The figure, or None where no run has two evaluations.
    """
    cohort = conclusions.cohort
    amounts = [
        amount
        for amount in cohort.main_amounts
        if any(len(run.curve()[0]) > 1 for k in cohort.compared for run in cohort.cell(amount, k))
    ]
    if not amounts:
        return None
    amounts = style.limited(amounts)

    figure, axes = style.new_figure(len(amounts))
    for axis, amount in zip(axes, amounts, strict=True):
        for k in cohort.compared:
            style.draw_curve(axis, cohort.cell(amount, k), style.scenario_look(cohort, k))
        style.decay_lines(axis, cohort.at([amount])[0].milestones)
        style.panel_title(axis, cohort.name(amount), cohort.at([amount])[0])
        style.iteration_axis(axis)

    axes[0].set_ylabel("validation mAP [%]")
    handles = [
        style.handle(style.plain(cohort.scenario_name(k)), **style.scenario_look(cohort, k))
        for k in cohort.compared
    ]
    style.legend(figure, [*handles, style.decay_handle()], style.scenario_legend(cohort))

    return figure


FIGURE = ReportFigure(
    key="map-curves",
    title="Validation mAP over training, all scenarios",
    reference="Figure 14",
    needs="runs with two evaluations",
    caption="A line for each scenario, the mean over its repeats; bands span the "
    "lowest to the highest.",
    draw=draw,
    by_amount=True,
)
