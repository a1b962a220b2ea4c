"""What a detector from anywhere needs to be changed in to serve a study."""

from __future__ import annotations

from typing import Any

from fzmm.detector_config.detector import learns_masks
from fzmm.errors import UserError
from fzmm.study.data_check import DataReport


def set_classes(model: dict[str, Any], classes: int) -> dict[str, Any]:
    """Return what to override in a model's config so that every head has ``classes`` classes.

    Heads in a list, as Cascade R-CNN's, are given whole, because a config cannot change one item.
    A head that proposes regions counts objects, not classes, and is left alone.

    Args:
        model: The model's config; changed to the same effect.
        classes: Number of classes.
    """
    changes: dict[str, Any] = {}
    for key, value in model.items():
        if key == "rpn_head":
            continue
        if key == "num_classes":
            model[key] = changes[key] = classes
        elif isinstance(value, dict):
            inner = set_classes(value, classes)
            if inner:
                changes[key] = inner
        elif isinstance(value, list | tuple):
            inner = [set_classes(item, classes) for item in value if isinstance(item, dict)]
            if any(inner):
                changes[key] = list(value)
    return changes


def require_masks(model: dict, report: DataReport, base: str | None) -> None:
    """Refuse a detector of masks on data that has only boxes."""
    if not learns_masks(model):
        return
    for split in (report.train, report.val):
        for index, item in enumerate(split.coco["annotations"]):
            if not item.get("segmentation"):
                raise UserError(
                    f"{base}: {model.get('type')} learns masks, and annotations[{index}] of "
                    f"{split.ann_file} has no segmentation; take a detector of boxes"
                )


def set_backbone(model: dict, depth: int | None, pretrained: str | None) -> dict[str, Any]:
    """Return what to override for another ResNet; necks take the stages' widths."""
    backbone: dict[str, Any] = {}
    changes: dict[str, Any] = {"backbone": backbone}
    if depth is not None:
        old = model["backbone"].get("depth")
        if not model["backbone"]["type"].endswith("ResNet") or old is None:
            raise UserError(
                f"--depth {depth}: the base has the backbone {model['backbone']['type']}; "
                "--depth is for ResNet"
            )
        backbone["depth"] = depth
        backbone["init_cfg"] = dict(type="Pretrained", checkpoint=f"torchvision://resnet{depth}")
        # basic blocks (18, 34) end in 64 to 512 channels, bottlenecks in four times as many
        factor = (1 if depth < 50 else 4) / (1 if old < 50 else 4)
        channels = model.get("neck", {}).get("in_channels")
        if factor != 1 and channels is not None:
            changes["neck"] = dict(in_channels=[round(item * factor) for item in channels])
    if pretrained is not None:
        none = pretrained.lower() == "none"
        backbone["init_cfg"] = None if none else dict(type="Pretrained", checkpoint=pretrained)
    if backbone.get("init_cfg") and model["backbone"].get("init_cfg"):
        backbone["init_cfg"]["_delete_"] = True
    return changes if backbone else {}


def merge(into: dict, other: dict) -> None:
    """Put one nested dict into another, in place."""
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
