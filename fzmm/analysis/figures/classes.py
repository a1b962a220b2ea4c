"""Instances of the most frequent classes and shares of all classes (Figures 2 and 7)."""

from __future__ import annotations

from functools import partial

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.figures import style
from fzmm.analysis.figures.report_figure import ReportFigure
from fzmm.datasets.subsets.figures import plot_class_shares, plot_instances

FULL = "#c9ced4"


def draw(conclusions: CohortConclusions, kind: str):
    """Draw what the annotation files hold, where they are readable and unchanged.

    Args:
        conclusions: What is known of the cohort.
        kind: ``counts`` (bars of the most frequent classes) or ``shares`` (every class).

    Returns:
        The figure, or None without a readable annotation file.
    """
    counts, _ = conclusions.class_counts
    if counts is None or not counts.full.sum():
        return None
    figure = (_counts if kind == "counts" else _shares)(counts)
    figure.runs += conclusions.cohort.runs
    return figure


def _counts(counts):
    figure, (axis,) = style.new_figure(width=8.6)
    series = {counts.full_name: counts.full, **counts.subsets}
    colors = [look["color"] for look in _looks(len(series))]
    names = [style.plain(name, 18) for name in counts.classes]
    plot_instances(axis, names, list(series.values()), colors)
    handles = [
        style.handle(style.plain(name), color=color, marker="s", linestyle="", markersize=9)
        for name, color in zip(series, colors, strict=True)
    ]
    style.legend(figure, handles, "training data")
    return figure


def _shares(counts):
    figure, (left, right) = style.new_figure(2)
    looks = _looks(len(counts.subsets))
    names = [style.plain(name, 22) for name in counts.classes]
    parts = list(counts.subsets.values())
    rows = plot_class_shares(left, right, names, counts.full, parts, looks, FULL)
    figure.set_size_inches(9.4, 1.9 + 0.165 * rows)
    right.set_xlabel(f"difference from {style.plain(counts.full_name, 20)} [pp]")
    full = dict(color=FULL, marker="s", linestyle="", markersize=9)

    handles = [style.handle(style.plain(counts.full_name), **full)]
    for name, look in zip(counts.subsets, looks, strict=True):
        hollow = {**look, "linestyle": "", "markersize": 4, "markerfacecolor": "none"}
        handles.append(style.handle(style.plain(name), **hollow))

    style.legend(figure, handles, "training data")
    return figure


def _looks(count: int) -> list[dict]:
    return [style.AMOUNTS[index % len(style.AMOUNTS)] for index in range(count)]


FIGURES = (
    ReportFigure(
        key="class-counts",
        title="Instances of the most frequent classes",
        reference="Figure 2",
        needs="the annotation files that the runs were trained on, unchanged, where"
        " the runs found them (make-subsets also draws it)",
        caption="Counted in the annotation files of the runs.",
        draw=partial(draw, kind="counts"),
    ),
    ReportFigure(
        key="class-shares",
        title="Share of every class",
        reference="Figure 7",
        needs="the annotation files that the runs were trained on, unchanged, where"
        " the runs found them (make-subsets also draws it)",
        caption="The thesis found a difference of 0.005 pp at most between a subset "
        "and the full set.",
        draw=partial(draw, kind="shares"),
    ),
)
