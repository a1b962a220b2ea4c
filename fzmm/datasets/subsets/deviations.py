"""How far a subset is from its share of the full set."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from fzmm.datasets.subsets.strata import Strata
from fzmm.utils.terminal import text_table


def measure(
    full: Strata, subset: np.ndarray, images: int, annotations: int, fraction: Fraction
) -> dict[str, Any]:
    """Measure a subset.

    Args:
        full: The full set's strata, of every kind.
        subset: The subset's count of each of these strata, ``(strata,)``.
        images: The subset's number of images.
        annotations: The subset's number of annotations.
        fraction: The share of every stratum that it is compared with.

    Returns:
        A dict with ``fraction`` and

        - ``images``, ``annotations``, and their shares ``fraction_images`` and
          ``fraction_annotations``;
        - ``max_class_share_deviation_pp``: the largest difference between a class's share of the
          subset's annotations and its share of the full set's, in percentage points;
        - ``max_class_count_deviation``: the largest difference between a class's count and fraction
          x full, and ``worst_class``, whose it is;
        - ``max_stratum_count_deviation`` and ``worst_stratum``: the same for a class in an area
          range;
        - ``image_deviation``: the same for the number of images, which only groups can move;
        - ``crowd_deviation`` and ``empty_deviation``: the same for the number of crowd annotations
          and of images without annotation.
    """
    kinds = np.array(full.kinds)
    totals = full.totals
    deviation = np.abs(subset - float(fraction) * totals)
    all_annotations = int(totals[kinds == "total"].sum())
    classes = kinds == "class"
    shares = subset[classes] / max(annotations, 1) - totals[classes] / max(all_annotations, 1)

    def worst(kind: str) -> tuple[float, str | None]:
        where = np.flatnonzero(kinds == kind)
        if not len(where):
            return 0.0, None
        index = int(where[deviation[where].argmax()])
        return round(float(deviation[index]), 6), full.names[index]

    worst_class, worst_stratum = worst("class"), worst("area")
    return {
        "fraction": float(fraction),
        "images": images,
        "annotations": annotations,
        "fraction_images": round(images / full.counts.shape[0], 9),
        "fraction_annotations": round(annotations / max(all_annotations, 1), 9),
        "image_deviation": round(abs(images - float(fraction) * full.counts.shape[0]), 6),
        "max_class_share_deviation_pp": round(float(np.abs(shares).max(initial=0.0)) * 100, 9),
        "max_class_count_deviation": worst_class[0],
        "worst_class": worst_class[1],
        "max_stratum_count_deviation": worst_stratum[0],
        "worst_stratum": worst_stratum[1],
        "crowd_deviation": worst("crowd")[0],
        "empty_deviation": worst("empty")[0],
    }


def guess_fraction(images: int, full_images: int) -> Fraction:
    """Return the fraction that a subset of this size was most likely meant to be.

    The decimal fraction with the fewest places, three at most, that gives this number of images
    when rounded; else the quotient itself. 29,572 of 118,287 images are 0.25, not 0.2500021.
    """
    exact = Fraction(images, full_images)
    for places in (1, 2, 3):
        decimal = Fraction(round(exact * 10**places), 10**places)
        if 10**places < full_images and round(full_images * decimal) == images:
            return decimal
    return exact


def format_table(rows: dict[str, dict[str, Any]]) -> str:
    """Return measures of several subsets as a text table."""
    head = ["subset", "images", "annotations", "share off, pp", "class off", "class+area off"]
    keys = ["max_class_count_deviation", "max_stratum_count_deviation"]
    others = {"crowd off": "crowd_deviation", "empty off": "empty_deviation"}
    if any(row["image_deviation"] > 0.5 for row in rows.values()):  # only groups do that
        others["images off"] = "image_deviation"
    keys += others.values()
    return text_table([*head, *others], [_row(name, row, keys) for name, row in rows.items()])


def _row(name: str, row: dict[str, Any], keys: Sequence[str]) -> list[str]:
    return [
        name,
        f"{row['images']:,}",
        f"{row['annotations']:,} ({row['fraction_annotations']:.2%})",
        f"{row['max_class_share_deviation_pp']:.6f}",
        *(f"{row[key]:.2f}" for key in keys),
    ]
