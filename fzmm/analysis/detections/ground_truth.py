"""The boxes that detections are held against: a validation annotation file as arrays."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from fzmm.datasets.annotation_file import AnnotationFile
from fzmm.datasets.subsets.strata import tabulate
from fzmm.errors import UserError


@dataclasses.dataclass(frozen=True)
class GroundTruth:
    """Annotated boxes of a set of images.

    Attributes:
        image_ids: Sorted, shape (images,).
        file_names: Of each image.
        class_ids: Sorted, shape (classes,).
        class_names: Of each class.
        labels: Place of each class in the file, which MMDetection calls its label.
        images: Index of each box's image, shape (boxes,).
        classes: Index of each box's class, shape (boxes,).
        boxes: x, y, width and height in pixels, shape (boxes, 4).
        areas: In square pixels as annotated, shape (boxes,).
        crowd: Whether a box stands for a crowd, shape (boxes,).
        loaded: Whether MMDetection's dataset keeps a box, shape (boxes,); it leaves out those
            outside of the image, narrower than a pixel or marked ``ignore``.
    """

    image_ids: np.ndarray
    file_names: tuple[str, ...]
    class_ids: np.ndarray
    class_names: tuple[str, ...]
    labels: np.ndarray
    images: np.ndarray
    classes: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray
    crowd: np.ndarray
    loaded: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Boxes of each class that are no crowds, shape (classes,)."""
        return np.bincount(self.classes[~self.crowd], minlength=len(self.class_ids))


def ground_truth(path: str | Path, sha256: str | None = None) -> GroundTruth:
    """Read an annotation file.

    Args:
        path: The file.
        sha256: Its checksum when the runs were made.

    Raises:
        UserError: If it cannot be read, or has changed since.
    """
    if not Path(path).is_file():
        raise UserError(f"{path} is not here; run the report where the training ran")
    file = AnnotationFile(path)
    if sha256 is not None and file.sha256 != sha256:
        raise UserError(f"{path} has changed since the runs")
    return from_coco(file.coco)


def from_coco(coco: dict[str, Any]) -> GroundTruth:
    """Return the boxes of a COCO object; one without ``area`` has its box's."""
    images = sorted(coco["images"], key=lambda image: image["id"])
    classes = sorted(coco["categories"], key=lambda category: category["id"])
    annotations = coco["annotations"]
    boxes = _column(annotations, "bbox").reshape(-1, 4).astype(np.float64)
    areas = [one.get("area", one["bbox"][2] * one["bbox"][3]) for one in annotations]
    image_ids = np.array([image["id"] for image in images], dtype=np.int64)
    class_ids = np.array([category["id"] for category in classes], dtype=np.int64)
    return GroundTruth(
        image_ids=image_ids,
        file_names=tuple(str(image.get("file_name", "")) for image in images),
        class_ids=class_ids,
        class_names=tuple(str(category["name"]) for category in classes),
        labels=np.argsort([category["id"] for category in coco["categories"]], kind="stable"),
        images=np.searchsorted(image_ids, _column(annotations, "image_id").astype(np.int64)),
        classes=np.searchsorted(class_ids, _column(annotations, "category_id").astype(np.int64)),
        boxes=boxes,
        areas=np.array(areas, dtype=np.float64),
        crowd=np.array([bool(one.get("iscrowd", 0)) for one in annotations], dtype=bool),
        loaded=~tabulate(coco).degenerate,
    )


def _column(annotations: list[dict[str, Any]], key: str) -> np.ndarray:
    return np.array([annotation[key] for annotation in annotations])
