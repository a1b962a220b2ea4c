"""Pretrained against from scratch (Figure 17 of the thesis)."""

from __future__ import annotations

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.conclusions.findings.scratch import scratch_pairs
from fzmm.analysis.figures import style
from fzmm.analysis.figures.report_figure import ReportFigure


def draw(conclusions: CohortConclusions):
    """Draw both mAP curves with their own decays.

    Returns:
        The figure, or None without a pretrained unfrozen run and one from scratch on the same data.
    """
    cohorts = [conclusions.cohort, *conclusions.other_cohorts]
    pairs = scratch_pairs(cohorts, conclusions.cohort)
    if not pairs:
        return None
    figure, (axis,) = style.new_figure()
    handles = []
    for runs, look, label in zip(
        pairs[0], (style.TRAIN, style.VALIDATION), ("pretrained", "from scratch"), strict=True
    ):
        style.draw_curve(axis, runs, look)
        for milestone in runs[0].milestones:
            axis.axvline(
                milestone, color=look["color"], linewidth=1.1, linestyle=(0, (2, 2)), zorder=1
            )
        handles.append(style.handle(label, **look))

    handles.append(style.decay_handle("learning rate decays,\nin the curve's colour"))
    axis.set_ylabel("validation mAP [%]")
    style.iteration_axis(axis)
    style.legend(figure, handles, "backbone")
    return figure


FIGURE = ReportFigure(
    key="pretrained-scratch",
    title="Pretrained against from scratch",
    reference="Figure 17",
    needs="an unfrozen pretrained run and one from scratch on the same data",
    caption="Their schedules differ by design; each curve has its own decays.",
    draw=draw,
)
