"""MobileNetV2 that makes use of being frozen."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule
from mmdet.models.layers import InvertedResidual
from mmdet.registry import MODELS
from torch import Tensor, nn

from fzmm.models.backbones.frozen_prefix import FrozenPrefix, Layer
from fzmm.models.backbones.mobilenet_v2 import DetectionMobileNetV2

ACTIVATIONS = {nn.ReLU: "relu", nn.ReLU6: "relu6"}


@MODELS.register_module()
class FrozenAwareMobileNetV2(FrozenPrefix, DetectionMobileNetV2):
    """:class:`DetectionMobileNetV2` with what :class:`FrozenPrefix` saves."""

    def stages(self) -> Sequence[Sequence[nn.Module]]:
        """Return the inverted residual blocks of each stage."""
        return [getattr(self, name) for name in self.layers]

    def run_stem(self, x: Tensor) -> Tensor:
        """Return the output of the first convolution."""
        layer = _layer(self.conv1)
        return self.conv1(x) if layer is None else self.run_layers([layer], x)

    def run_block(self, block: InvertedResidual, x: Tensor, owns_input: bool) -> Tensor:
        """Return an inverted residual block's output."""
        modules = [block.depthwise_conv, block.linear_conv]
        if block.with_expand_conv:
            modules.insert(0, block.expand_conv)
        layers = [_layer(module) for module in modules]
        if None in layers or (block.with_cp and torch.is_grad_enabled()):
            return block(x)
        return self.run_layers(layers, x, x if block.with_res_shortcut else None, owns_input)


def _layer(module: ConvModule) -> Layer | None:
    """Return a convolution with its norm and activation as a layer, or None if it is not one."""
    kind = type(module.activate) if module.with_activation else None
    if module.norm_name is None or (kind and kind not in ACTIVATIONS):
        return None
    layer = Layer(module.conv, module.norm, ACTIVATIONS.get(kind))
    return layer if layer.is_foldable else None
