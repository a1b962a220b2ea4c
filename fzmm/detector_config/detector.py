"""What a detector's config says about its input and output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

RECIPE_SCALE = (1333, 800)


def train_scale(cfg: Config) -> tuple[int, int]:
    """Return (width, height) that training resizes images to; ``RECIPE_SCALE`` where unsaid."""
    for transform in _transforms(cfg.train_dataloader.dataset):
        if transform.get("type") in ("Resize", "RandomResize", "RandomChoiceResize"):
            scale = transform.get("scale") or transform.get("scales")
            if scale is not None:
                scale = max(scale, key=max) if isinstance(scale[0], tuple | list) else scale
                return int(scale[0]), int(scale[1])
    return RECIPE_SCALE


def learns_masks(model: Mapping[str, Any]) -> bool:
    """Whether a model's config has a mask head, of the RoIs or of the image."""
    return "mask_head" in model or "mask_head" in model.get("roi_head", {})


def number_of_classes(model: Any) -> int | None:
    """Return the first ``num_classes`` found in a model's config, the RPN's aside, or None."""
    if isinstance(model, Mapping):
        if isinstance(model.get("num_classes"), int):
            return model["num_classes"]
        children = [value for key, value in model.items() if key != "rpn_head"]
    else:
        children = model
    for child in children:
        if isinstance(child, Mapping | list | tuple):
            found = number_of_classes(child)
            if found is not None:
                return found
    return None


def _transforms(dataset: Any) -> Iterator[Any]:
    """Yield the transforms of a dataset's pipeline, those of wrapped datasets included."""
    for transform in dataset.get("pipeline", []):
        yield transform
        for branch in transform.get("transforms", []):
            yield from branch if isinstance(branch, list) else [branch]
    if "dataset" in dataset:
        yield from _transforms(dataset["dataset"])
