"""Figures of subsets beside the full set: the thesis's figures 2 and 7.

The plots are also the report's, which gives them its own look and legend.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FULL_COLOUR = "#999999"
# Okabe & Ito's colours, which colour-blind readers tell apart
_LOOKS = tuple(
    {"color": colour, "marker": marker}
    for colour, marker in zip(
        ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000"),
        "sD^vP*X",
        strict=True,
    )
)
_MOST_FREQUENT = 7  # as in the thesis's figure 2
_MAX_CLASSES = 120  # more rows than this no page shows


def plot_instances(
    axis: Any, classes: Sequence[str], series: Sequence[np.ndarray], colours: Sequence[str]
) -> int:
    """Plot the number of instances of the most frequent classes (figure 2).

    Args:
        axis: Where to plot.
        classes: Class names, as they are to be shown.
        series: Counts of each class, ``(classes,)`` each; the full set's first.
        colours: Of each of the series.

    Returns:
        How many classes are shown.
    """
    top = np.argsort(-series[0], kind="stable")[:_MOST_FREQUENT]
    width = 0.8 / len(series)
    for index, (counts, colour) in enumerate(zip(series, colours, strict=True)):
        place = np.arange(len(top)) - 0.4 + width * (index + 0.5)
        axis.bar(place, counts[top], 0.92 * width, color=colour)
    axis.set_xticks(np.arange(len(top)), [classes[i] for i in top], rotation=20, ha="right")
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.set_ylabel("annotations")
    return len(top)


def plot_class_shares(
    left: Any,
    right: Any,
    classes: Sequence[str],
    full: np.ndarray,
    subsets: Sequence[np.ndarray],
    looks: Sequence[Mapping[str, Any]],
    full_colour: str = FULL_COLOUR,
) -> int:
    """Plot the share of each class in each subset beside the full set's (figure 7).

    The shares of a good subset cannot be told from the full set's by eye, so the right panel shows
    the difference.

    Args:
        left: Where to plot the shares.
        right: Where to plot the differences; shares its rows with ``left``.
        classes: Class names, as they are to be shown.
        full: The full set's count of each class, ``(classes,)``.
        subsets: The same for each subset.
        looks: Colour and marker of each subset.
        full_colour: The full set's.

    Returns:
        How many classes are shown, the most frequent ones.
    """
    order = np.argsort(-full, kind="stable")[:_MAX_CLASSES]
    rows = np.arange(len(order))
    share = _share(full)[order]
    # no bars: on a logarithmic axis their length would mean nothing
    left.plot(share, rows, linestyle="", marker="s", markersize=8, color=full_colour, zorder=1)

    for index, (counts, look) in enumerate(zip(subsets, looks, strict=True)):
        own = _share(counts)[order]
        # side by side within the row: equal shares would hide one another
        places = rows + 0.6 * ((index + 1) / (len(subsets) + 1) - 0.5)
        hollow = {**look, "linestyle": "", "markersize": 4, "markerfacecolor": "none"}
        left.plot(own, places, **hollow)
        right.plot(own - share, places, **hollow)

    positive = share[share > 0]
    if len(positive) and positive.max() > 50 * positive.min():
        left.set_xscale("log")
        left.xaxis.set_major_formatter("{x:g}")

    left.set_yticks(rows, [classes[i] for i in order], fontsize=7.5)
    left.set_ylim(len(order) - 0.3, -0.7)
    left.set_xlabel("share of all annotations [%]")
    right.axvline(0, color=full_colour, linewidth=1.5, zorder=1)
    right.tick_params(labelleft=False)
    if not len(subsets):
        right.text(0.5, 0.5, "no subset to compare", transform=right.transAxes, ha="center")
        right.set_xticks([])

    return len(order)


def draw_instances(
    path: Path, classes: Sequence[str], full: np.ndarray, subsets: dict[str, np.ndarray]
) -> None:
    """Draw ``plot_instances`` into a file.

    Args:
        path: PNG file to write.
        classes: Class names.
        full: The full set's count of each class, ``(classes,)``.
        subsets: The same for each subset.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    colours = [FULL_COLOUR, *(look["color"] for look in _looks(subsets))]
    shown = plot_instances(axes, _names(classes), [full, *subsets.values()], colours)
    axes.set_title(f"Annotations of the {shown} most frequent classes")
    axes.spines[["top", "right"]].set_visible(False)
    bars = _handles(subsets, marker="s", markersize=9)
    figure.legend(handles=bars, loc="outside right upper", frameon=False)
    _save(figure, path)


def draw_class_shares(
    path: Path, classes: Sequence[str], full: np.ndarray, subsets: dict[str, np.ndarray]
) -> None:
    """Draw ``plot_class_shares`` into a file.

    Args:
        path: PNG file to write.
        classes: Class names.
        full: The full set's count of each class, ``(classes,)``.
        subsets: The same for each subset.
    """
    from matplotlib.figure import Figure

    height = 2.2 + 0.17 * min(len(classes), _MAX_CLASSES)
    figure = Figure(figsize=(10, height), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    names, parts = _names(classes), list(subsets.values())
    shown = plot_class_shares(left, right, names, full, parts, _looks(subsets))
    right.set_xlabel("difference from the full set [pp]")
    right.tick_params(axis="x", labelsize=8)
    left.set_title("Share of each class")

    right.set_title("Difference from the full set")
    for axes in (left, right):
        axes.grid(axis="y", linewidth=0.3)
        axes.spines[["top", "right"]].set_visible(False)

    if shown < len(classes):
        figure.suptitle(f"The {shown} most frequent of {len(classes)} classes", fontsize=9)
    columns = min(5, len(subsets) + 1)
    figure.legend(
        handles=_handles(subsets), loc="outside lower center", ncols=columns, frameon=False
    )
    _save(figure, path)


def _share(counts: np.ndarray) -> np.ndarray:
    return 100 * counts / max(counts.sum(), 1)


def _looks(subsets: Mapping[str, np.ndarray]) -> list[dict[str, str]]:
    return [_LOOKS[index % len(_LOOKS)] for index in range(len(subsets))]


def _handles(subsets: Mapping[str, np.ndarray], **look: Any) -> list:
    from matplotlib.lines import Line2D

    looks = [{"color": FULL_COLOUR, "marker": "s", "markersize": 9}, *_looks(subsets)]
    names = _names(["full set", *subsets])
    names = [f" {name}" if name.startswith("_") else name for name in names]  # else hidden
    return [
        Line2D([], [], label=name, **{**own, "linestyle": "", **look})
        for name, own in zip(names, looks, strict=True)
    ]


def _names(names: Sequence[str]) -> list[str]:
    short = [name if len(name) <= 24 else f"{name[:23]}…" for name in names]
    return [name.replace("$", r"\$") for name in short]  # no formulas


def _save(figure, path: Path) -> None:
    with warnings.catch_warnings():
        # A class name in a script that the font lacks shows as boxes; the page has the names.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        # No version in the file, so that the same counts give the same bytes.
        figure.savefig(path, format="png", dpi=150, metadata={"Software": None})
