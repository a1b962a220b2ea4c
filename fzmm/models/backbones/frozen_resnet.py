"""A ResNet that makes use of being frozen."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet.models.backbones.resnet import BasicBlock, Bottleneck, ResNet
from mmdet.registry import MODELS
from torch import Tensor, nn

from fzmm.models.backbones.frozen_prefix import FrozenPrefix, Layer


@MODELS.register_module()
class FrozenAwareResNet(FrozenPrefix, ResNet):
    """MMDetection's ``ResNet`` with what :class:`FrozenPrefix` saves; a deep stem runs as it is."""

    def stages(self) -> Sequence[Sequence[nn.Module]]:
        """Return the residual blocks of each stage."""
        return [getattr(self, name) for name in self.res_layers]

    def run_stem(self, x: Tensor) -> Tensor:
        """Return the stem's output after its pooling."""
        if self.deep_stem:
            return self.maxpool(self.stem(x))
        layer = Layer(self.conv1, self.norm1, "relu")
        if layer.is_foldable:
            return self.maxpool(self.run_layers([layer], x))
        return self.maxpool(self.relu(self.norm1(self.conv1(x))))

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


def _layers(block: nn.Module) -> list[Layer] | None:
    """Return the block's layers, or None if it must run as it is."""
    depth = _depth(block)
    if depth is None or (block.with_cp and torch.is_grad_enabled()):
        return None
    layers = [
        Layer(getattr(block, f"conv{i}"), getattr(block, f"norm{i}"), "relu")
        for i in range(1, depth + 1)
    ]
    return layers if all(layer.is_foldable for layer in layers) else None


def _depth(block: nn.Module) -> int | None:
    if type(block) is BasicBlock:
        return 2
    return 3 if type(block) is Bottleneck and not block.with_plugins else None
