"""The size that images are resized to: as much larger or smaller as the base makes its own."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from fzmm.datasets.dataset_config import annotation_path, innermost_dataset
from fzmm.detector_config.detector import train_scale
from fzmm.errors import UserError
from fzmm.utils.files import read_json

COCO_SIZE = (640, 480)  # COCO's usual image, pixels
# Outside these, objects are of other sizes than the detector's anchors and weights are made for.
USUAL_FACTORS = (0.5, 3.0)
_LARGEST_READ = 1 << 26  # bytes of a base's annotation file


def study_scale(cfg: Any, size: tuple[int, int]) -> tuple[int, int]:
    """Return (width, height) that images are resized to.

    A base that enlarges its images twice enlarges these twice, but never above its own scale:
    what a step costs grows with it.

    Args:
        cfg: The base's config.
        size: Median (width, height) of the images.
    """
    made_for = _image_size(cfg)
    shrink = min(1.0, min(size) / min(made_for)) if made_for else 1.0
    width, height = (max(1, round(side * shrink)) for side in train_scale(cfg))
    return width, height


def scale_note(scale: tuple[int, int], size: tuple[int, int]) -> str | None:
    """Return a line on a scale that changes the images a lot, or None."""
    factor = min(max(scale) / max(size), min(scale) / min(size))
    low, high = USUAL_FACTORS
    if low <= factor <= high:
        return None
    return (
        f"images of {size[0]} x {size[1]} are resized {factor:.2g} times, to at most {scale[0]} x "
        f"{scale[1]}; --scale {size[0]} {size[1]} keeps their size"
    )


def _image_size(cfg: Any) -> tuple[float, float] | None:
    """Return the size of the images that a base was made for, or None if they are not here."""
    try:
        path = annotation_path(innermost_dataset(cfg.train_dataloader))
    except UserError:
        return COCO_SIZE

    if Path(path).name == "instances_train2017.json":
        return COCO_SIZE
    try:
        images = read_json(path, _LARGEST_READ)["images"]
        return (
            median(image["width"] for image in images),
            median(image["height"] for image in images),
        )
    except (UserError, KeyError, TypeError, ValueError):
        return None
