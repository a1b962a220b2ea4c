"""VGG that makes use of being frozen."""

from __future__ import annotations

from mmdet.registry import MODELS
from torch import Tensor, nn

from fzmm.models.backbones.frozen_prefix import FrozenPrefix, Layer
from fzmm.models.backbones.vgg import DetectionVGG


@MODELS.register_module()
class FrozenAwareVGG(FrozenPrefix, DetectionVGG):
    """:class:`DetectionVGG` with what :class:`FrozenPrefix` saves."""

    # Its backward pass over large maps takes a quarter longer so on a CPU without AVX-512.
    trains_channels_last = False

    def stages(self) -> list[list[list[nn.Module]]]:
        """Return each stage's blocks: a convolution with its norm and ReLU, or the pooling."""
        return [_blocks(self.features[first:end]) for first, end in self.range_sub_modules]

    def run_stem(self, x: Tensor) -> Tensor:
        """Return the image itself: VGG has no stem."""
        return x

    def run_block(self, block: list[nn.Module], x: Tensor, owns_input: bool) -> Tensor:
        """Return the output of a convolution with what follows it, or of a pooling."""
        conv, *norm = block[:-1] or block  # without its ReLU
        layer = Layer(conv, norm[0] if norm else None, "relu")
        if layer.is_foldable:
            return self.run_layers([layer], x)
        for module in block:
            x = module(x)
        return x


def _blocks(modules: nn.Sequential) -> list[list[nn.Module]]:
    blocks: list[list[nn.Module]] = []
    for module in modules:
        if isinstance(module, nn.Conv2d | nn.MaxPool2d):
            blocks.append([])
        blocks[-1].append(module)
    return blocks
