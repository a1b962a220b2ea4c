"""What the validation images can tell, known before a training: which APs, and how exact a mAP."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from fzmm.datasets.sampling_error import FEW_BOXES, map_error
from fzmm.study.dataset.dataset_split import DatasetSplit


@dataclass(frozen=True)
class ExpectedError:
    """How exact a mAP on some validation images will be.

    Attributes:
        images: Number of these images.
        classes: Number of classes with a box in them.
        few: (class, boxes) of those with fewer than ``FEW_BOXES``, the fewest first.
        low: What the standard error of mAP will be at least.
        high: The same at most, both in [0, 1].
    """

    images: int
    classes: int
    few: list[tuple[str, int]]
    low: float
    high: float


def expected_error(val: DatasetSplit) -> ExpectedError:
    """Return how exact a mAP on a validation half will be; it has to hold a box."""
    names = {category["id"]: category["name"] for category in val.coco["categories"]}
    boxes = Counter(names[box["category_id"]] for box in val.boxes)
    few = [(name, number) for name, number in boxes.items() if number < FEW_BOXES]
    few.sort(key=lambda pair: (pair[1], pair[0]))
    low, high = map_error(list(boxes.values()))
    return ExpectedError(len(val.coco["images"]), len(boxes), few, low, high)
