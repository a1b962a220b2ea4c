"""The data pipelines of a study: the base's, at the data's own scale."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from fzmm.detector_config.detector import RECIPE_SCALE, train_scale
from fzmm.paths import BASES
from fzmm.utils.config_file import read_config_file

_RESIZING = {"Resize": "scale", "RandomResize": "scale", "RandomChoiceResize": "scales"}


def rescaled_pipelines(
    cfg: Any, scale: Sequence[int], base: str | None, notes: list[str]
) -> tuple[list, list] | None:
    """Return the pipelines of training and validation, or None where the recipe's are right.

    Args:
        cfg: The base's config.
        scale: (width, height) that images are resized to.
        base: The base's name, or None for the recipe.
        notes: Gets a line if the base's augmentation is left out.
    """
    own = train_scale(cfg)
    if base is None and tuple(scale) == own:
        return None

    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    if base is not None and train.get("type") != "CocoDataset":
        notes.append(f"its {train.get('type')} is left out: the recipe's own augmentation is used")
        recipe = read_config_file(BASES / "coco_detection.py")
        train, val = recipe.train_dataloader.dataset, recipe.val_dataloader.dataset
        own = RECIPE_SCALE
    return _rescaled(train, own, scale), _rescaled(val, own, scale)


def _rescaled(dataset: Any, own: Sequence[int], scale: Sequence[int]) -> list[dict]:
    return [_rescale(dict(transform), own, scale) for transform in dataset.to_dict()["pipeline"]]


def _rescale(transform: dict, own: Sequence[int], scale: Sequence[int]) -> dict:
    """Return a transform with the scale ``own`` replaced, and any other changed as much."""
    transform = copy.deepcopy(transform)
    factor = max(scale) / max(own)
    key = _RESIZING.get(transform.get("type"))
    if key and transform.get(key) is not None:
        transform[key] = _scaled(transform[key], own, scale)
    if transform.get("type") == "RandomCrop" and factor != 1:
        transform["crop_size"] = tuple(round(side * factor) for side in transform["crop_size"])
    if isinstance(transform.get("transforms"), list):
        transform["transforms"] = [
            [_rescale(dict(inner), own, scale) for inner in branch]
            if isinstance(branch, list)
            else _rescale(dict(branch), own, scale)
            for branch in transform["transforms"]
        ]

    if transform.get("backend_args", 0) is None:
        del transform["backend_args"]
    return transform


def _scaled(value: Any, own: Sequence[int], scale: Sequence[int]) -> Any:
    if isinstance(value[0], list | tuple):
        return [_scaled(size, own, scale) for size in value]
    if sorted(value) == sorted(own):
        return tuple(scale)
    return tuple(round(side * max(scale) / max(own)) for side in value)
