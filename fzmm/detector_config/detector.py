"""What a detector's config says about its input and output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

RECIPE_SCALE = (1333, 800)
Path = tuple[str | int, ...]  # of keys and places, from the model's config inwards


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


def class_places(model: Any, path: Path = ()) -> Iterator[tuple[Path, int]]:
    """Yield where a model's config names a number of classes, and the number.

    A head that proposes regions (``rpn_head``) counts objects, not classes, and is left out.

    Args:
        model: The model's config.
        path: Its own place in a larger config.
    """
    if isinstance(model, Mapping):
        for key, value in model.items():
            if key == "num_classes" and isinstance(value, int):
                yield (*path, key), value
            elif key != "rpn_head":
                yield from class_places(value, (*path, key))
    elif isinstance(model, list | tuple):
        for index, value in enumerate(model):
            yield from class_places(value, (*path, index))


def place_name(path: Path) -> str:
    """Return how a place is written in Python: ``model.roi_head.bbox_head[0].num_classes``."""
    return "model" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)


def number_of_classes(model: Any) -> int | None:
    """Return the first ``num_classes`` of a model's config, the RPN's aside, or None."""
    return next((number for _, number in class_places(model)), None)


def _transforms(dataset: Any) -> Iterator[Any]:
    """Yield the transforms of a dataset's pipeline, those of wrapped datasets included."""
    for transform in dataset.get("pipeline", []):
        yield transform
        for branch in transform.get("transforms", []):
            yield from branch if isinstance(branch, list) else [branch]
    if "dataset" in dataset:
        yield from _transforms(dataset["dataset"])
