"""How far a subset is from its share of the full set."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from fzmm.datasets.strata import Strata


@dataclass(frozen=True)
class Measures:
    """A subset's statistics beside the full set's.

    Attributes:
        images: Number of images.
        annotations: Number of annotations.
        fraction_images: Share of the full set's images.
        fraction_annotations: Share of its annotations.
        max_class_share_deviation_pp: Largest difference between a class's share of the subset's
            annotations and of the full set's, in percentage points.
        max_class_count_deviation: Largest difference between a class's count and fraction x full.
        max_stratum_count_deviation: The same over every class and area range.
        crowd_deviation: The same for the number of crowd annotations.
        empty_deviation: The same for the number of images without annotation.
    """

    images: int
    annotations: int
    fraction_images: float
    fraction_annotations: float
    max_class_share_deviation_pp: float
    max_class_count_deviation: float
    max_stratum_count_deviation: float
    crowd_deviation: float
    empty_deviation: float

    def to_dict(self) -> dict[str, Any]:
        """Return the measures for JSON."""
        return dict(vars(self))


def measure(full: Strata, subset: np.ndarray, images: int, fraction: Fraction) -> Measures:
    """Measure a subset.

    Args:
        full: The full set's strata, of every kind.
        subset: The subset's count of each of these strata, ``(strata,)``.
        images: The subset's number of images.
        fraction: The share of every stratum it was meant to have.
    """
    kinds = np.array(full.kinds)
    totals = full.totals
    deviation = np.abs(subset - float(fraction) * totals)

    def largest(kind: str) -> float:
        return float(deviation[kinds == kind].max(initial=0.0))

    classes = kinds == "class"
    annotations, all_annotations = int(subset[classes].sum()), int(totals[classes].sum())
    shares = subset[classes] / max(annotations, 1) - totals[classes] / max(all_annotations, 1)
    return Measures(
        images=images,
        annotations=annotations,
        fraction_images=round(images / full.counts.shape[0], 9),
        fraction_annotations=round(annotations / max(all_annotations, 1), 9),
        max_class_share_deviation_pp=round(float(np.abs(shares).max(initial=0.0)) * 100, 9),
        max_class_count_deviation=round(largest("class"), 6),
        max_stratum_count_deviation=round(largest("area"), 6),
        crowd_deviation=round(largest("crowd"), 6),
        empty_deviation=round(largest("empty"), 6),
    )
