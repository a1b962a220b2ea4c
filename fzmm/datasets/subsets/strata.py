"""What a subset keeps of the full set, as whole numbers counted for each image.

One column of the count matrix is one *stratum*: the annotations of a class, those of a class in one
of COCO's area ranges, crowd annotations, images without annotation and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

# COCO's area ranges: small < 32^2 <= medium < 96^2 <= large (pycocotools, Params.areaRng).
AREA_LIMITS = (32**2, 96**2)
AREA_NAMES = ("small", "medium", "large")

STRATIFY = ("classes", "areas", "crowd", "empty")


@dataclass(frozen=True)
class AnnotationTable:
    """The columns of an annotation file that counting needs.

    Attributes:
        image: Index in ``images`` of each annotation's image, int64 ``(annotations,)``.
        category: Index in ``categories`` of its class, int64 ``(annotations,)``.
        area_range: 0 small, 1 medium, 2 large, int64 ``(annotations,)``.
        crowd: Whether it is a crowd annotation, bool ``(annotations,)``.
        degenerate: Whether the trainer skips its box, bool ``(annotations,)``.
        num_images: Number of images.
        classes: Class names in the file's order.
    """

    image: np.ndarray
    category: np.ndarray
    area_range: np.ndarray
    crowd: np.ndarray
    degenerate: np.ndarray
    num_images: int
    classes: list[str]


@dataclass(frozen=True)
class Strata:
    """Counts of every stratum in every image.

    Attributes:
        counts: int64 CSR matrix ``(images, strata)``.
        kinds: Kind of each stratum: ``total``, ``class``, ``area``, ``crowd``, ``class crowd``,
            ``empty``, ``background`` or ``degenerate``.
        names: A readable name of each stratum.
        keys: What tells the strata apart in any file with the same categories, int64 ``(strata,)``.
    """

    counts: sparse.csr_matrix
    kinds: list[str]
    names: list[str]
    keys: np.ndarray

    @property
    def totals(self) -> np.ndarray:
        """Count of each stratum in the full set, int64 ``(strata,)``."""
        return np.asarray(self.counts.sum(axis=0)).ravel()

    def totals_in(self, other: Strata) -> np.ndarray:
        """Return this file's count of each stratum of ``other``, int64 ``(other strata,)``."""
        counts = dict(zip(self.keys.tolist(), self.totals.tolist(), strict=True))
        return np.array([counts.get(key, 0) for key in other.keys.tolist()], dtype=np.int64)


def tabulate(coco: dict[str, Any]) -> AnnotationTable:
    """Extract what counting needs from a checked annotation file.

    An annotation without ``area`` (files of other tools) counts with width x height. A box is
    degenerate where MMDetection's ``CocoDataset.parse_data_info`` skips it: no overlap with the
    image, no area, narrower or lower than a pixel, or marked ``ignore``.
    """
    images, annotations = coco["images"], coco["annotations"]
    position = {image["id"]: index for index, image in enumerate(images)}
    label = {category["id"]: index for index, category in enumerate(coco["categories"])}
    number = len(annotations)
    image = np.fromiter((position[a["image_id"]] for a in annotations), np.int64, number)
    category = np.fromiter((label[a["category_id"]] for a in annotations), np.int64, number)
    box = np.array([a["bbox"] for a in annotations], dtype=np.float64).reshape(-1, 4)
    nan = float("nan")

    area = np.fromiter((a.get("area", nan) for a in annotations), np.float64, number)
    area = np.where(np.isnan(area), box[:, 2] * box[:, 3], area)
    crowd = np.fromiter((bool(a.get("iscrowd")) for a in annotations), bool, number)
    ignored = np.fromiter((bool(a.get("ignore")) for a in annotations), bool, number)
    infinite = float("inf")
    width = np.array([float(entry.get("width", infinite)) for entry in images])[image]
    height = np.array([float(entry.get("height", infinite)) for entry in images])[image]
    x, y, w, h = box.T

    overlap_x = np.minimum(x + w, width) - np.maximum(x, 0)
    overlap_y = np.minimum(y + h, height) - np.maximum(y, 0)
    degenerate = (overlap_x <= 0) | (overlap_y <= 0) | (area <= 0) | (w < 1) | (h < 1) | ignored
    return AnnotationTable(
        image=image,
        category=category,
        area_range=np.searchsorted(AREA_LIMITS, area, side="right"),
        crowd=crowd,
        degenerate=degenerate,
        num_images=len(images),
        classes=[category["name"] for category in coco["categories"]],
    )


def count_strata(table: AnnotationTable, stratify: Sequence[str] = STRATIFY) -> Strata:
    """Count every stratum in every image; strata that occur nowhere are left out.

    The total of annotations is always among them, since shares are relative to it. Images without
    annotation and images whose boxes are all degenerate are two strata: MMDetection's
    ``filter_empty_gt`` drops the former from training, while the latter train as background.

    Args:
        table: The annotations.
        stratify: What to keep, of ``STRATIFY``.
    """
    annotations = np.bincount(table.image, minlength=table.num_images)
    usable = np.bincount(table.image[~table.degenerate], minlength=table.num_images)
    blocks: list[tuple[np.ndarray, np.ndarray, list[str], str]] = []

    def add(kind: str, names: list[str], image: np.ndarray, column: np.ndarray | int = 0) -> None:
        blocks.append((image, np.broadcast_to(column, image.shape), names, kind))

    add("total", ["annotations"], table.image)
    if "classes" in stratify:
        add("class", table.classes, table.image, table.category)
    if "areas" in stratify:
        names = [f"{name}, {area}" for name in table.classes for area in AREA_NAMES]
        add("area", names, table.image, 3 * table.category + table.area_range)
    if "crowd" in stratify:
        image, category = table.image[table.crowd], table.category[table.crowd]
        add("crowd", ["crowd annotations"], image)
        if "classes" in stratify:
            add("class crowd", [f"{name}, crowd" for name in table.classes], image, category)

    if "empty" in stratify:
        add("empty", ["images without annotation"], np.flatnonzero(annotations == 0))
        background = np.flatnonzero((annotations > 0) & (usable == 0))
        add("background", ["images without usable box"], background)
        image = table.image[table.degenerate]
        add("degenerate", ["degenerate boxes"], image)

    offsets = np.cumsum([0, *(len(names) for _, _, names, _ in blocks)])
    rows = np.concatenate([image for image, _, _, _ in blocks])
    columns = np.concatenate(
        [column + offset for (_, column, _, _), offset in zip(blocks, offsets[:-1], strict=True)]
    )
    ones = np.ones(len(rows), np.int64)
    counts = sparse.coo_matrix((ones, (rows, columns)), (table.num_images, offsets[-1])).tocsr()
    kept = np.flatnonzero(np.asarray(counts.sum(axis=0)).ravel())

    kinds = [kind for _, _, names, kind in blocks for _ in names]
    names = [name for _, _, block, _ in blocks for name in block]
    return Strata(
        counts=counts[:, kept].tocsr(),
        kinds=[kinds[i] for i in kept],
        names=[names[i] for i in kept],
        keys=kept,
    )
