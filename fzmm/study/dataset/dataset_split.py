"""One half of a dataset: an annotation file and the folder of its images."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from fzmm.datasets.coco import read_annotations
from fzmm.errors import UserError


@dataclass(frozen=True)
class DatasetSplit:
    """One half of a dataset.

    Attributes:
        ann_file: Annotation file.
        images: Folder of the images.
        coco: The file's content, checked.
    """

    ann_file: Path
    images: Path
    coco: dict[str, Any] = field(repr=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """Category names in the file's order, which is the order that MMDetection counts in."""
        return tuple(category["name"] for category in self.coco["categories"])

    @cached_property
    def boxes(self) -> list[dict[str, Any]]:
        """Annotations that are boxes to learn, by the rules of MMDetection's ``CocoDataset``."""
        sizes = {
            image["id"]: (image.get("width"), image.get("height")) for image in self.coco["images"]
        }
        return [
            annotation
            for annotation in self.coco["annotations"]
            if _is_learnt(annotation, *sizes[annotation["image_id"]])
        ]

    @property
    def images_with_boxes(self) -> int:
        """Images that training sees: MMDetection leaves out those without a box."""
        return len({annotation["image_id"] for annotation in self.boxes})

    def path_of(self, image: dict[str, Any]) -> Path:
        """Return an image's file."""
        return self.images / image["file_name"]


def read_split(
    ann_file: str | os.PathLike,
    images: str | os.PathLike,
    option: str,
    coco: dict[str, Any] | None = None,
) -> DatasetSplit:
    """Read one half of a dataset and check that its names are distinct.

    Args:
        ann_file: Annotation file.
        images: Folder of its images.
        option: Names the latter in messages.
        coco: What the file will hold, where it is still to be written.

    Raises:
        UserError: If a file or folder is missing or a name stands twice.
    """
    split = DatasetSplit(Path(ann_file), Path(images), coco or read_annotations(ann_file))
    if not split.images.is_dir():
        raise UserError(f"{option} {images}: no such folder")

    for index, image in enumerate(split.coco["images"]):
        if not isinstance(image.get("file_name"), str) or not image["file_name"]:
            raise UserError(f"{ann_file}: images[{index}] has no `file_name`; give it one")
        for side in ("width", "height"):
            if not image.get(side):
                raise UserError(
                    f"{ann_file}: images[{index}] ({image['file_name']}) has no `{side}`, which "
                    "MMDetection reads from the file; give its pixels"
                )

    paths = Counter(os.path.normpath(image["file_name"]) for image in split.coco["images"])
    for name, count in paths.items():
        if count > 1:
            raise UserError(f"{ann_file}: {count} images have the file_name {name}; keep one")

    for name, count in Counter(split.classes).items():
        if count > 1:
            raise UserError(f"{ann_file}: {count} categories are called {name!r}; rename them")
    return split


def _is_learnt(annotation: dict[str, Any], width: float, height: float) -> bool:
    """Whether MMDetection's ``CocoDataset.parse_data_info`` keeps a box as one to learn."""
    x, y, w, h = annotation["bbox"]
    inside_w = max(0, min(x + w, width) - max(x, 0))
    inside_h = max(0, min(y + h, height) - max(y, 0))
    return (
        not annotation.get("ignore")
        and not annotation.get("iscrowd")
        and inside_w * inside_h > 0
        and annotation.get("area", w * h) > 0
        and min(w, h) >= 1
    )
