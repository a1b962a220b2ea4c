"""EfficientNet-Lite0 that makes use of being frozen."""

from __future__ import annotations

import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor

from fzmm.models.backbones.efficientnet_lite import EfficientNetLite0, MBConv
from fzmm.models.backbones.frozen_prefix import FrozenPrefix, Layer


@MODELS.register_module()
class FrozenAwareEfficientNetLite0(FrozenPrefix, EfficientNetLite0):
    """:class:`EfficientNetLite0` with the savings of :class:`FrozenPrefix`."""

    def run_stem(self, x: Tensor) -> Tensor:
        """Return the stem's output."""
        layer = Layer(self._conv_stem, self._bn0, "relu6")
        if layer.is_foldable:
            return self.run_layers([layer], x)
        return F.relu6(self._bn0(self._conv_stem(x)))

    def run_block(self, block: MBConv, x: Tensor, owns_input: bool) -> Tensor:
        """Return an inverted residual block's output."""
        layers = [
            Layer(block._depthwise_conv, block._bn1, "relu6"),
            Layer(block._project_conv, block._bn2, None),
        ]
        if block.with_expansion:
            layers.insert(0, Layer(block._expand_conv, block._bn0, "relu6"))
        if not all(layer.is_foldable for layer in layers):
            return block(x)
        return self.run_layers(layers, x, x if block.with_shortcut else None, owns_input)
