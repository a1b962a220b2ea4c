"""ResNets that make use of being frozen."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.models.backbones import RegNet, ResNet, ResNeXt
from mmdet.models.backbones.resnet import BasicBlock, Bottleneck
from mmdet.registry import MODELS
from torch import Tensor, nn

from fzmm.models.backbones.frozen_prefix import FrozenPrefix, Layer


class ResidualFrozenPrefix(FrozenPrefix):
    """:class:`FrozenPrefix` for backbones of ResNet's blocks; a deep stem runs as it is."""

    def stages(self) -> Sequence[Sequence[nn.Module]]:
        """Return the residual blocks of each stage."""
        return [getattr(self, name) for name in self.res_layers]

    def run_stem(self, x: Tensor) -> Tensor:
        """Return the stem's output after its pooling."""
        if self.deep_stem:
            return self.maxpool(self.stem(x))
        return self.maxpool(self.run_conv(x))

    def run_conv(self, x: Tensor) -> Tensor:
        """Return the output of the stem's one convolution."""
        layer = Layer(self.conv1, self.norm1, "relu")
        if layer.is_foldable:
            return self.run_layers([layer], x)
        return F.relu(self.norm1(self.conv1(x)))

    def run_block(self, block: nn.Module, x: Tensor, owns_input: bool) -> Tensor:
        """Return a residual block's output."""
        layers = _layers(block)
        if layers is None:
            return block(x)
        identity = x
        if block.downsample is not None:
            identity, owns_input = self._downsample(block.downsample, x), True
        return self.run_layers(layers, x, identity, owns_input)

    def _downsample(self, downsample: nn.Sequential, x: Tensor) -> Tensor:
        *before, conv, norm = downsample  # ResNet-D pools before its 1x1 convolution
        for module in before:
            x = module(x)
        layer = Layer(conv, norm, None)
        return self.run_layers([layer], x) if layer.is_foldable else norm(conv(x))


@MODELS.register_module()
class FrozenAwareResNet(ResidualFrozenPrefix, ResNet):
    """MMDetection's ``ResNet`` with what :class:`FrozenPrefix` saves."""


@MODELS.register_module()
class FrozenAwareResNeXt(ResidualFrozenPrefix, ResNeXt):
    """MMDetection's ``ResNeXt`` with what :class:`FrozenPrefix` saves."""


@MODELS.register_module()
class FrozenAwareRegNet(ResidualFrozenPrefix, RegNet):
    """MMDetection's ``RegNet`` with what :class:`FrozenPrefix` saves."""

    def run_stem(self, x: Tensor) -> Tensor:
        """Return the output of the stem, which has no pooling."""
        return self.run_conv(x)


def _layers(block: nn.Module) -> list[Layer] | None:
    """Return the block's layers, or None if it must run as it is."""
    if block.with_cp and torch.is_grad_enabled():
        return None
    if isinstance(block, Bottleneck):
        depth = 0 if block.with_plugins else 3
    else:
        depth = 2 if type(block) is BasicBlock else 0
    layers = [
        Layer(getattr(block, f"conv{i}"), getattr(block, f"norm{i}"), "relu")
        for i in range(1, depth + 1)
    ]
    return layers if layers and all(layer.is_foldable for layer in layers) else None
