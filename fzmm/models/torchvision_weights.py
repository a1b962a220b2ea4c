"""The weights of torchvision's Faster R-CNN under MMDetection's names."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

_NAMES = (
    (r"backbone\.body\.", "backbone."),
    (r"backbone\.fpn\.inner_blocks\.(\d)\.0\.", r"neck.lateral_convs.\1.conv."),
    (r"backbone\.fpn\.layer_blocks\.(\d)\.0\.", r"neck.fpn_convs.\1.conv."),
    (r"rpn\.head\.conv\.0\.0\.", "rpn_head.rpn_conv."),
    (r"rpn\.head\.cls_logits\.", "rpn_head.rpn_cls."),
    (r"rpn\.head\.bbox_pred\.", "rpn_head.rpn_reg."),
    (r"roi_heads\.box_head\.fc6\.", "roi_head.bbox_head.shared_fcs.0."),
    (r"roi_heads\.box_head\.fc7\.", "roi_head.bbox_head.shared_fcs.1."),
    (r"roi_heads\.box_predictor\.cls_score\.", "roi_head.bbox_head.fc_cls."),
    (r"roi_heads\.box_predictor\.bbox_pred\.", "roi_head.bbox_head.fc_reg."),
)


def mmdet_name(name: str) -> str:
    """Return MMDetection's name of a parameter of torchvision's ``fasterrcnn_resnet50_fpn``.

    Raises:
        KeyError: If that detector has no such parameter.
    """
    for pattern, replacement in _NAMES:
        if re.match(pattern, name):
            return re.sub(pattern, replacement, name, count=1)
    raise KeyError(name)


def from_torchvision(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict for ``configs/_base_/faster-rcnn_r50_fpn.py``'s model.

    torchvision counts the background as class 0, MMDetection as the last one, without boxes.

    Args:
        state_dict: Of torchvision's ``fasterrcnn_resnet50_fpn``.
    """
    weights = {mmdet_name(name): value for name, value in state_dict.items()}
    for kind in ("weight", "bias"):
        scores, deltas = (f"roi_head.bbox_head.{layer}.{kind}" for layer in ("fc_cls", "fc_reg"))
        weights[scores] = torch.cat([weights[scores][1:], weights[scores][:1]])
        weights[deltas] = weights[deltas][4:]
    return weights
