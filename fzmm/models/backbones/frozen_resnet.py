"""A ResNet that makes use of being frozen."""

from __future__ import annotations

import contextlib

import torch
import torch.nn.functional as F
from mmdet.models.backbones.resnet import BasicBlock, Bottleneck, ResNet
from mmdet.registry import MODELS
from torch import Tensor, nn

from fzmm.models.backbones.folding import FoldCache, fold, is_constant
from fzmm.models.cpu.fused_conv import compute_dtype, conv_relu


@MODELS.register_module()
class FrozenAwareResNet(ResNet):
    """MMDetection's ``ResNet``: same arguments, parameters, checkpoints and numbers, less work.

    - The frozen prefix (with ``frozen_stages=k >= 0`` the stem and stages 1 to k) records no
      autograd graph, and its batch norms, being constants, are folded into the convolutions: once
      on CUDA and in evaluation, anew at every step of a training on a CPU, where keeping the folds
      would cost more memory than it saves time.
    - In the trained stages a batch norm in evaluation mode (``norm_eval=True``) is a scale and a
      shift that do not depend on the batch, so it is folded at every step, differentiably: the
      convolution's gradient, and the norm's where it is trained, are those of the unfolded pair.
      Nothing of the norm's input has to be kept for the backward pass.
    - A norm that updates its statistics (``norm_eval=False``, training from scratch) stays itself.
    - Activations are channels-last where that is faster: on a CPU always, on CUDA (not measured by
      this project yet) when convolutions run on tensor cores. On a CPU, ReLU and the residual
      addition are part of the convolution.

    Blocks with anything else in them (plugins, deformable convolutions, gradient checkpointing,
    a deep stem) run as in the parent class. Forward hooks on single convolutions or norms of the
    folded blocks are not called, for these modules are not called either.

    Args:
        *args: As for ``mmdet.models.ResNet``.
        channels_last_outputs (bool): Hand on the feature maps as they are, channels-last where
            that was faster. Only for necks and heads all of whose operators heed strides: MMCV's
            RoIAlign reads channels-last maps as if they were not and returns garbage without an
            error (``GatherRoIExtractor`` guards it). Default: False.
        **kwargs: As for ``mmdet.models.ResNet``.
    """

    def __init__(self, *args, channels_last_outputs: bool = False, **kwargs):
        super().__init__(*args, **kwargs)
        self.channels_last_outputs = channels_last_outputs
        self._folds = FoldCache()
        self._order_weights()

    def _order_weights(self) -> None:
        # As the activations: otherwise each step writes the trained weights and their gradients
        # over in the other order, twice. On CUDA the activations alone decide: cuDNN would take
        # its order from the weights, too.
        if not torch.cuda.is_available():
            self.to(memory_format=torch.channels_last)

    def init_weights(self) -> None:
        """Initialise as the parent class does, random numbers included."""
        self.to(memory_format=torch.contiguous_format)  # they are drawn in the order of memory
        super().init_weights()
        self._order_weights()

    def __getstate__(self):
        # Folds are derived data: a copy or a pickle of the model makes its own.
        return {**self.__dict__, "_folds": FoldCache()}

    def train(self, mode: bool = True) -> FrozenAwareResNet:
        """Switch modes as the parent class does, and fold anew if that was another one."""
        changed = mode != self.training  # MMEngine's loop says train() before every step
        super().train(mode)
        if changed and hasattr(self, "_folds"):
            self._folds.clear()
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the feature maps of ``out_indices``.

        Args:
            x: Images, shape (N, 3, H, W).

        Returns:
            tuple[Tensor]: One map (N, C_i, H / stride_i, W / stride_i) for each index.
        """
        if prefers_channels_last(x):
            x = x.contiguous(memory_format=torch.channels_last)
        outs = []
        with self._grad_mode(self.frozen_stages >= 0, x):
            x = self._stem(x)
        for i, name in enumerate(self.res_layers):
            # Without a graph up to here, the frozen prefix is whatever needs no gradient.
            with self._grad_mode(self.frozen_stages > i, x):
                for j, block in enumerate(getattr(self, name)):
                    x = self._block(f"{name}.{j}", block, x, owns_input=j > 0)
            if i in self.out_indices:
                outs.append(x if self.channels_last_outputs else x.contiguous())
        return tuple(outs)

    @staticmethod
    def _grad_mode(frozen: bool, x: Tensor):
        """No graph in a frozen part, unless somebody wants the gradient of the image itself."""
        # Not set_grad_enabled(...): under torch.compile it could stay off after the block.
        return torch.no_grad() if frozen and not x.requires_grad else contextlib.nullcontext()

    def _stem(self, x: Tensor) -> Tensor:
        if self.deep_stem:
            x = self.stem(x)
        elif _is_plain(self.conv1) and is_constant(self.norm1):
            x = self._conv_norm("stem", self.conv1, self.norm1, x, relu=True)
        else:
            x = self.relu(self.norm1(self.conv1(x)))
        return self.maxpool(x)

    def _block(self, name: str, block: nn.Module, x: Tensor, owns_input: bool) -> Tensor:
        pairs = _foldable_pairs(block)
        if pairs is None:
            return block(x)
        identity = x
        if block.downsample is not None:
            identity, owns_input = self._downsample(name, block.downsample, x), True
        *inner, (conv, norm) = pairs
        for i, pair in enumerate(inner):
            x = self._conv_norm(f"{name}.{i}", *pair, x, relu=True)
        return self._conv_norm(f"{name}.out", conv, norm, x, True, identity, owns_input)

    def _downsample(self, name: str, downsample: nn.Sequential, x: Tensor) -> Tensor:
        *before, conv, norm = downsample  # ResNet-D pools before its 1x1 convolution
        for module in before:
            x = module(x)
        if _is_plain(conv) and is_constant(norm):
            return self._conv_norm(f"{name}.downsample", conv, norm, x, relu=False)
        return norm(conv(x))

    def _conv_norm(
        self,
        name: str,
        conv: nn.Conv2d,
        norm: nn.Module,
        x: Tensor,
        relu: bool,
        residual: Tensor | None = None,
        owns_residual: bool = False,
    ) -> Tensor:
        # Without a graph, as in validation, what is trained is constant, too, until the next step.
        trained = any(p.requires_grad for m in (conv, norm) for p in m.parameters())
        # Not kept when training on a CPU: that would save ResNet-50 7 ms a step and cost 94 MB.
        if (trained and torch.is_grad_enabled()) or (self.training and x.device.type == "cpu"):
            weight, bias = fold(conv, norm, conv.weight.dtype)
        else:
            channels_last = x.is_contiguous(memory_format=torch.channels_last)
            weight, bias = self._folds.get(name, conv, norm, compute_dtype(x), channels_last)
        geometry = (conv.stride, conv.padding, conv.dilation, conv.groups)
        if relu:
            return conv_relu(x, weight, bias, *geometry, residual, owns_residual)
        return F.conv2d(x, weight, bias, *geometry)


def prefers_channels_last(x: Tensor) -> bool:
    """Whether convolutions of ``x`` are faster with channels as the innermost dimension.

    oneDNN's are; cuDNN's are where they use tensor cores, which is under autocast, and in float32
    from compute capability 8 on unless TF32 has been switched off.
    """
    if x.device.type == "cpu":
        return True
    if x.device.type != "cuda":
        return False
    if compute_dtype(x) != torch.float32:
        return True
    tf32 = torch.cuda.get_device_capability(x.device) >= (8, 0)
    return tf32 and torch.backends.cudnn.allow_tf32


def _is_plain(conv: nn.Module) -> bool:
    return type(conv) is nn.Conv2d and conv.padding_mode == "zeros" and conv.padding != "same"


def _foldable_pairs(block: nn.Module) -> list[tuple[nn.Conv2d, nn.Module]] | None:
    """Return the block's convolutions with their norms, or None if it must run as it is."""
    if type(block) is BasicBlock:
        pairs = [(block.conv1, block.norm1), (block.conv2, block.norm2)]
    elif type(block) is Bottleneck and not block.with_plugins:
        pairs = [
            (block.conv1, block.norm1), (block.conv2, block.norm2), (block.conv3, block.norm3),
        ]  # fmt: skip
    else:
        return None
    if block.with_cp and torch.is_grad_enabled():
        return None
    if all(_is_plain(conv) and is_constant(norm) for conv, norm in pairs):
        return pairs
    return None
