"""Figures of subsets beside the full set: the thesis's figures 2 and 7."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

# Okabe & Ito's colours, which colour-blind readers tell apart; the first is the full set's.
_COLOURS = ("#999999", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442")
_MARKERS = "osD^vP*X"
_MOST_FREQUENT = 7  # as in the thesis's figure 2
_MAX_CLASSES = 120  # more rows than this no page shows


def draw_instances(
    path: Path, classes: Sequence[str], full: np.ndarray, subsets: dict[str, np.ndarray]
) -> None:
    """Draw the number of instances of the most frequent classes (figure 2).

    Args:
        path: PNG file to write.
        classes: Class names.
        full: The full set's count of each class, ``(classes,)``.
        subsets: The same for each subset.
    """
    from matplotlib.figure import Figure

    top = np.argsort(-full, kind="stable")[:_MOST_FREQUENT]
    series = {"full set": full, **subsets}
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(series)
    for index, (name, counts) in enumerate(series.items()):
        place = np.arange(len(top)) - 0.4 + width * (index + 0.5)
        axes.bar(
            place, counts[top], width, label=_label(name), color=_COLOURS[index % len(_COLOURS)]
        )
    axes.set_xticks(np.arange(len(top)), [_short(classes[i]) for i in top], rotation=15, ha="right")
    if len(top) and full[top[-1]] and full[top[0]] > 20 * full[top[-1]]:
        axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel("instances")
    axes.set_title(f"Instances of the {len(top)} most frequent classes")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False)
    _save(figure, path)


def draw_class_shares(
    path: Path, classes: Sequence[str], full: np.ndarray, subsets: dict[str, np.ndarray]
) -> None:
    """Draw the share of each class in each subset beside the full set's (figure 7).

    The shares of a good subset cannot be told from the full set's by eye, so a second panel shows
    the difference.

    Args:
        path: PNG file to write.
        classes: Class names.
        full: The full set's count of each class, ``(classes,)``.
        subsets: The same for each subset.
    """
    from matplotlib.figure import Figure

    order = np.argsort(-full, kind="stable")[:_MAX_CLASSES]
    rows = np.arange(len(order))
    figure = Figure(figsize=(10, 2.2 + 0.17 * len(order)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    share = 100 * full[order] / max(full.sum(), 1)
    left.barh(rows, share, color=_COLOURS[0], label="full set", height=0.75)
    for index, (name, counts) in enumerate(subsets.items(), start=1):
        own = 100 * counts[order] / max(counts.sum(), 1)
        look = {
            "marker": _MARKERS[index % len(_MARKERS)],
            "color": _COLOURS[index % len(_COLOURS)],
            "linestyle": "none",
            "markersize": 4,
            "markerfacecolor": "none",
        }
        beside = rows + 0.6 * (index / (len(subsets) + 1) - 0.5)  # else equal ones hide each other
        left.plot(own, beside, label=_label(name), **look)
        right.plot(own - share, beside, **look)
    positive = share[share > 0]
    if len(positive) and positive.max() > 50 * positive.min():
        left.set_xscale("log")
        left.xaxis.set_major_formatter("{x:g}")
    left.set_yticks(rows, [_short(classes[i]) for i in order], fontsize=7)
    left.invert_yaxis()
    left.set_ylim(len(order) - 0.3, -0.7)
    left.set_xlabel("share of all annotations (%)")
    right.axvline(0, color=_COLOURS[0], linewidth=1)
    right.set_xlabel("difference from the full set (percentage points)")
    right.tick_params(axis="x", labelsize=8)
    left.set_title("Share of each class")
    right.set_title("Difference from the full set")
    for axes in (left, right):
        axes.grid(axis="y", linewidth=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    if len(order) < len(classes):
        figure.suptitle(f"The {len(order)} most frequent of {len(classes)} classes", fontsize=9)
    figure.legend(loc="outside lower center", ncols=min(5, len(subsets) + 1), frameon=False)
    _save(figure, path)


def _short(name: str) -> str:
    name = name.replace("$", r"\$")  # no formulas in class names
    return name if len(name) <= 24 else f"{name[:23]}…"


def _label(name: str) -> str:
    name = _short(name)
    return f" {name}" if name.startswith("_") else name  # Matplotlib hides labels that begin so


def _save(figure, path: Path) -> None:
    with warnings.catch_warnings():
        # A class name in a script that the font lacks shows as boxes; the page has the names.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        # No version in the file, so that the same counts give the same bytes.
        figure.savefig(path, format="png", dpi=150, metadata={"Software": None})
