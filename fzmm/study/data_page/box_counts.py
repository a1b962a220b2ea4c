"""How many boxes of each class and size a part of a dataset holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from fzmm.study.dataset.dataset_split import DatasetSplit

# Roots of areas in pixels that part the sizes; 32 and 96 part COCO's small, medium and large.
SIDES = (8, 16, 32, 48, 64, 96, 192, 384)
SIZES = (
    *(("small", f"{low} to {high}") for low, high in ((0, 8), (8, 16), (16, 32))),
    *(("medium", f"{low} to {high}") for low, high in ((32, 48), (48, 64), (64, 96))),
    *(("large", text) for text in ("96 to 192", "192 to 384", "384 and more")),
)


@dataclass(frozen=True)
class BoxCounts:
    """The boxes of a part of a dataset that training learns, or evaluation looks for.

    Attributes:
        name: Of the part, such as ``neu50`` or ``validation``.
        ids: Of its images.
        classes: Boxes of each class, by its name.
        sizes: Boxes of each of ``SIZES``.
    """

    name: str
    ids: frozenset[int] = field(repr=False)
    classes: Counter[str]
    sizes: list[int]

    @property
    def boxes(self) -> int:
        """Number of boxes."""
        return sum(self.sizes)

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Boxes that are small, medium and large by COCO's limits."""
        totals = Counter()
        for (group, _), number in zip(SIZES, self.sizes, strict=True):
            totals[group] += number
        return list(totals.items())


def count_boxes(name: str, split: DatasetSplit, ids: Collection[int] | None = None) -> BoxCounts:
    """Count the boxes of some images.

    Args:
        name: What to call them.
        split: The half of the dataset that they are in.
        ids: Of the images; all of the half if None.
    """
    ids = frozenset(image["id"] for image in split.coco["images"]) if ids is None else ids
    names = {category["id"]: category["name"] for category in split.coco["categories"]}
    boxes = [box for box in split.boxes if box["image_id"] in ids]
    # as COCO's evaluation: by the area of the annotation, which may be that of a mask
    areas = np.array([box.get("area", box["bbox"][2] * box["bbox"][3]) for box in boxes])
    place = np.digitize(areas.astype(float), np.square(SIDES))
    sizes = np.bincount(place, minlength=len(SIZES)).tolist()
    return BoxCounts(
        name, frozenset(ids), Counter(names[box["category_id"]] for box in boxes), sizes
    )
