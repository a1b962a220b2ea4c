"""Which images of a part to show: few, but of as many classes as they can hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

import numpy as np

from fzmm.study.dataset.dataset_split import DatasetSplit

_CANDIDATES = 2000  # of a larger part; enough to find rare classes, and quick


def classes_in_images(split: DatasetSplit) -> dict[int, set[int]]:
    """Return the category ids of the boxes of each image that has any."""
    classes = defaultdict(set)
    for box in split.boxes:
        classes[box["image_id"]].add(box["category_id"])
    return classes


def choose_images(
    split: DatasetSplit,
    ids: Collection[int],
    classes: dict[int, set[int]],
    number: int,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Choose images that between them show many classes, and one without a box if there is any.

    The same images each time.

    Args:
        split: The half of the dataset.
        ids: Of the images to choose from.
        classes: See ``classes_in_images``.
        number: How many to choose at most.
        seed: Of the order in which images of equal merit come.
    """
    images = [image for image in split.coco["images"] if image["id"] in ids]
    order = np.random.default_rng(seed).permutation(len(images))[:_CANDIDATES]
    candidates = [images[index] for index in order]
    empty = [image for image in candidates if image["id"] not in classes][:1]
    filled = [image for image in candidates if image["id"] in classes]

    chosen: list[dict[str, Any]] = []
    missing = set().union(*(classes[image["id"]] for image in filled))
    while filled and len(chosen) < number - len(empty):
        best = max(filled, key=lambda image: len(classes[image["id"]] & missing))
        filled.remove(best)
        chosen.append(best)
        missing -= classes[best["id"]]
    return (chosen + empty)[:number]
