"""What the figures of detections share: a panel a data amount, scenarios by name and look."""

from __future__ import annotations

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.detections.run_detections import AmountDetections
from fzmm.analysis.figures import style

MOST_PANELS = 3
NEEDS = "kept predictions of two scenarios (predictions.json.gz) and the validation annotations"


def panels(conclusions: CohortConclusions) -> list[AmountDetections]:
    """Return the data amounts to draw."""
    return conclusions.detections[:MOST_PANELS]


def scenario_name(conclusions: CohortConclusions, trainable: int) -> str:
    """Return what a legend calls a scenario."""
    cohort = conclusions.cohort
    if trainable == cohort.unfrozen:
        return "unfrozen"
    return cohort.arms.get(trainable) or f"frozen_stages={cohort.frozen_stages[trainable]}"


def finish(figure, axis, one: AmountDetections, conclusions: CohortConclusions) -> None:
    """Title a panel and note its runs."""
    axis.set_title(style.plain(conclusions.cohort.name(one.amount)))
    figure.runs += one.runs


def scenario_legend(figure, panels, conclusions, reference=False, bars=False, more=()) -> None:
    """Name the scenarios that are drawn, beside the panels."""
    shown = {k for one in panels for k in (one.in_order if reference else one.others)}
    arms = conclusions.cohort.arms
    handles = []
    for k in sorted(shown - arms.keys(), reverse=True) + sorted(shown & arms.keys()):
        look = {**style.scenario_look(conclusions.cohort, k), "linestyle": ""}
        if bars:
            look = look | dict(marker="s", markersize=8)
        handles.append(style.handle(style.plain(scenario_name(conclusions, k), 30), **look))
    style.legend(figure, [*handles, *more])
