"""The data pipelines of a study: the base's, at the data's own scale."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from fzmm.detector_config.detector import RECIPE_SCALE, train_scale
from fzmm.paths import BASES

_RESIZING = {"Resize": "scale", "RandomResize": "scale", "RandomChoiceResize": "scales"}


def rescaled_pipelines(cfg, scale, base, notes) -> tuple[list, list] | None:
    """Return the two pipelines, or None where the recipe's are right as they are."""
    own = train_scale(cfg)
    if base is None and tuple(scale) == own:
        return None
    train = cfg.train_dataloader.dataset
    if base is not None and train.get("type") != "CocoDataset":
        notes.append(f"its {train.get('type')} is left out: the recipe's own augmentation is used")
        from mmengine.config import Config

        plain = Config.fromfile(BASES / "coco_detection.py")
        train, test = plain.train_dataloader.dataset, plain.val_dataloader.dataset
    else:
        test = cfg.val_dataloader.dataset
    if base is not None and train is not cfg.train_dataloader.dataset:
        own = RECIPE_SCALE
    return tuple(
        [_rescale(dict(item), own, scale) for item in copy.deepcopy(dataset.to_dict())["pipeline"]]
        for dataset in (train, test)
    )


def _rescale(transform: dict, own: Sequence[int], scale: Sequence[int]) -> dict:
    """Return a transform with the scale ``own`` replaced, and any other changed as much."""
    factor = max(scale) / max(own)
    key = _RESIZING.get(transform.get("type"))
    if key and transform.get(key) is not None:
        transform[key] = _scaled(transform[key], own, scale)
    if transform.get("type") == "RandomCrop" and factor != 1:
        transform["crop_size"] = tuple(round(side * factor) for side in transform["crop_size"])
    if isinstance(transform.get("transforms"), list):
        transform["transforms"] = [
            [_rescale(dict(t), own, scale) for t in item]
            if isinstance(item, list)
            else _rescale(dict(item), own, scale)
            for item in transform["transforms"]
        ]
    if transform.get("backend_args", 0) is None:
        del transform["backend_args"]
    return transform


def _scaled(value: Any, own: Sequence[int], scale: Sequence[int]) -> Any:
    if isinstance(value[0], list | tuple):
        return [_scaled(item, own, scale) for item in value]
    if sorted(value) == sorted(own):
        return tuple(scale)
    return tuple(round(side * max(scale) / max(own)) for side in value)
