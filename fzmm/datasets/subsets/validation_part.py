"""Cutting a validation part off a dataset that has none."""

from __future__ import annotations

from typing import Any

from fzmm.datasets.subsets.make_subsets import select_image_ids
from fzmm.errors import UserError

# Not the subsets' seed: studies of one dataset with other subsets stay comparable.
_SEED = 0


def cut_validation(coco: dict[str, Any], fraction: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a training and a validation part, alike in classes, sizes and empty images.

    The same file gives the same parts on every machine.

    Args:
        coco: A checked COCO object.
        fraction: Share of the images for validation.

    Raises:
        UserError: If one of the parts would hold no image.
    """
    number = round(fraction * len(coco["images"]))
    if not 0 < number < len(coco["images"]):
        raise UserError(
            f"--val-fraction {fraction:g}: leaves {number} of {len(coco['images'])} images for "
            "validation; choose another share"
        )
    chosen = set(select_image_ids(coco, number, _SEED))
    return _part(coco, chosen, inside=False), _part(coco, chosen, inside=True)


def _part(coco: dict[str, Any], chosen: set[int], inside: bool) -> dict[str, Any]:
    images = [image for image in coco["images"] if (image["id"] in chosen) == inside]
    annotations = [
        annotation
        for annotation in coco["annotations"]
        if (annotation["image_id"] in chosen) == inside
    ]
    return {**coco, "images": images, "annotations": annotations}
