"""Validation mAP over the share of training, all data amounts (Figure 16 of the thesis)."""

from __future__ import annotations

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.figures import style
from fzmm.analysis.figures.report_figure import ReportFigure
from fzmm.analysis.statistics.cohorts import Cohort


def draw(conclusions: CohortConclusions):
    """Draw a curve for one data amount of each size, with 3 trainable stages where there are any.

    Returns:
        The figure, or None where fewer than two data amounts share a scenario.
    """
    cohort = conclusions.cohort
    k = shared_scenario(cohort)
    if k is None:
        return None
    figure, (axis,) = style.new_figure()
    handles = []
    for index, amount in enumerate(style.limited(cohort.main_amounts)):
        runs = [run for run in cohort.cell(amount, k) if run.max_iterations]
        if not runs:
            continue
        look = style.AMOUNTS[index % len(style.AMOUNTS)]
        scale = 100 / runs[0].max_iterations
        if style.draw_curve(axis, runs, look, scale=scale):
            handles.append(style.handle(style.plain(cohort.name(amount)), **look))
        style.decay_lines(axis, runs[0].milestones, scale)

    axis.set_xlabel("share of training [%]")
    axis.set_ylabel("validation mAP [%]")
    axis.set_xlim(0, 101)
    style.legend(figure, [*handles, style.decay_handle()], f"training data,\n{k} trainable stages")
    return figure


def shared_scenario(cohort: Cohort) -> int | None:
    """Return 3 trainable stages, else the highest number, that two data amounts have."""
    for k in sorted(cohort.scenarios, key=lambda k: (k != 3, -k)):
        sizes = [a for a in cohort.main_amounts if any(r.max_iterations for r in cohort.cell(a, k))]
        if len(sizes) > 1:
            return k
    return None


FIGURE = ReportFigure(
    key="map-by-share",
    title="Validation mAP over the share of training",
    reference="Figure 16",
    needs="runs of one scenario on two data amounts",
    caption="One scenario on every data amount: what the decays do with less data.",
    draw=draw,
    by_amount=True,
)
