"""What a field of an annotation means where it is missing, in the one place that says it."""

from __future__ import annotations

from typing import Any

from fzmm.errors import UserError


def fill_missing_fields(coco: dict[str, Any], source: str) -> None:
    """Write out, in place, what every reader of COCO files takes missing fields for.

    An annotation without ``iscrowd`` is no crowd; one without ``area`` has its box's. MMDetection
    and pycocotools index both, the latter only at the first evaluation.

    Args:
        coco: The file's object.
        source: What to call the file in messages.

    Raises:
        UserError: If an image has no ``width`` or ``height``, which nothing here can tell.
    """
    for annotation in coco.get("annotations") or []:
        if annotation.get("iscrowd") is None:
            annotation["iscrowd"] = 0
        if annotation.get("area") is None and "bbox" in annotation:
            _, _, width, height = annotation["bbox"]
            annotation["area"] = width * height

    for index, image in enumerate(coco.get("images") or []):
        for key in ("width", "height"):
            if not image.get(key):
                raise UserError(
                    f"{source}: images[{index}] has no `{key}`; training needs it, write the "
                    "image's into the file"
                )
