"""Instances of the most frequent classes and shares of all classes (Figures 2 and 7)."""

from __future__ import annotations

import numpy as np

from fzmm.analysis.evidence import Evidence
from fzmm.analysis.figures import style

MOST_FREQUENT = 7  # as in the thesis
MOST_ROWS = 120


def draw(evidence: Evidence, kind: str):
    """Draw what the annotation files hold, where they are readable and unchanged.

    Args:
        evidence: What is known of the cohort.
        kind: ``counts`` (bars of the most frequent classes) or ``shares`` (every class).

    Returns:
        The figure, or None without a readable annotation file.
    """
    counts, _ = evidence.class_counts
    if counts is None or not counts.full.sum():
        return None
    figure = (_counts if kind == "counts" else _shares)(counts)
    figure.runs += evidence.cohort.runs
    return figure


def _counts(counts):
    order = np.argsort(-counts.full, kind="stable")[:MOST_FREQUENT]
    series = {counts.full_name: counts.full, **counts.subsets}
    figure, (axis,) = style.new_figure(width=8.6)
    width = 0.8 / len(series)
    handles = []
    for index, (name, values) in enumerate(series.items()):
        color = style.AMOUNTS[index % len(style.AMOUNTS)]["color"]
        places = np.arange(len(order)) - 0.4 + width * (index + 0.5)
        axis.bar(places, values[order], 0.92 * width, color=color)
        handles.append(
            style.handle(style.plain(name), color=color, marker="s", linestyle="", markersize=9)
        )
    names = [style.plain(counts.classes[i], 18) for i in order]
    axis.set_xticks(np.arange(len(order)), names, rotation=20, ha="right")
    axis.set_ylabel("annotations")
    axis.yaxis.set_major_formatter("{x:,.0f}")
    style.legend(figure, handles, "training data")
    return figure


def _shares(counts):
    order = np.argsort(-counts.full, kind="stable")[:MOST_ROWS]
    rows = np.arange(len(order))
    figure, (left, right) = style.new_figure(2)
    figure.set_size_inches(9.4, 1.9 + 0.165 * len(order))
    share = _share(counts.full)[order]
    # no bars: on a logarithmic axis their length would mean nothing
    left.plot(share, rows, linestyle="", marker="s", markersize=8, color="#c9ced4", zorder=1)
    handles = [
        style.handle(
            style.plain(counts.full_name), color="#c9ced4", marker="s", linestyle="", markersize=9
        )
    ]
    for index, (name, values) in enumerate(counts.subsets.items()):
        look = {**style.AMOUNTS[index % len(style.AMOUNTS)], "linestyle": ""}
        look |= {"markersize": 4, "markerfacecolor": "none"}
        own = _share(values)[order]
        # side by side within the row: equal shares would hide one another
        places = rows + 0.6 * ((index + 1) / (len(counts.subsets) + 1) - 0.5)
        left.plot(own, places, **look)
        right.plot(own - share, places, **look)
        handles.append(style.handle(style.plain(name), **look))
    positive = share[share > 0]
    if positive.max() > 50 * positive.min():
        left.set_xscale("log")
    left.set_yticks(rows, [style.plain(counts.classes[i], 22) for i in order], fontsize=7.5)
    left.set_ylim(len(order) - 0.3, -0.7)
    left.set_xlabel("share of all annotations [%]")
    right.axvline(0, color="#c9ced4", linewidth=1.5, zorder=1)
    right.set_xlabel(f"difference from {style.plain(counts.full_name, 20)} [pp]")
    right.tick_params(labelleft=False)
    if not counts.subsets:
        right.text(0.5, 0.5, "no subset to compare", transform=right.transAxes, ha="center")
        right.set_xticks([])
    style.legend(figure, handles, "training data")
    return figure


def _share(counts: np.ndarray) -> np.ndarray:
    return 100 * counts / max(counts.sum(), 1)
