"""What any convolutional backbone can save where it is frozen."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.conv2d_adaptive_padding import Conv2dAdaptivePadding
from torch import Tensor, nn

from fzmm.models.backbones.folding import FoldCache, fold, is_constant
from fzmm.models.cpu.fused_conv import compute_dtype, fused_conv, is_fusible, pack_weight

# In a training on a CPU a folded weight is kept where a batch's map has fewer positions, for then
# to fold it takes a tenth of its convolution or more, or where it has few elements (ResNet-50's
# take 18 MB). What was kept before plays no part, or a run that is resumed could round otherwise.
_FEW_POSITIONS = 512
_FEW_ELEMENTS = 2**18


class Layer(NamedTuple):
    """A convolution with its norm and the activation after both (after the shortcut, if last).

    Attributes:
        conv: The convolution.
        norm: Its batch norm, or None.
        activation: ``"relu"``, ``"relu6"`` or None.
    """

    conv: nn.Module
    norm: nn.Module | None
    activation: str | None

    @property
    def is_foldable(self) -> bool:
        """Whether the layer can run as one convolution."""
        return is_plain(self.conv) and (self.norm is None or is_constant(self.norm))


class FrozenPrefix:
    """Mixin before a backbone class: same arguments, parameters, checkpoints, numbers, less work.

    - The frozen prefix (the stem and stages 1 to k) records no autograd graph, and its batch norms,
      being constants, are folded into the convolutions: once on CUDA and in evaluation; in a
      training on a CPU once as far as that is worth its memory, else anew at every step.
    - In the trained stages a batch norm in evaluation mode (``norm_eval=True``) is a scale and a
      shift that do not depend on the batch, so it is folded at every step, differentiably: the
      convolution's gradient, and the norm's where it is trained, are those of the unfolded pair.
      Nothing of the norm's input has to be kept for the backward pass.
    - A norm that updates its statistics (``norm_eval=False``, training from scratch) stays itself.
    - Activations are channels-last where that is faster: on a CPU always, on CUDA (not measured by
      this project yet) when convolutions run on tensor cores. On a CPU, activation and residual
      addition are part of the convolution.

    Blocks with anything else in them (plugins, deformable convolutions, gradient checkpointing)
    run as in the parent class. Forward hooks on single convolutions or norms of the folded blocks
    are not called, for these modules are not called either.

    A subclass implements ``run_stem`` and ``run_block`` with ``run_layers``. It, or its backbone,
    has ``stages()`` (the blocks of each), ``frozen_stages`` (-1: nothing, 0: the stem, k: the first
    k stages, too) and ``out_indices``.

    Args:
        *args: As for the backbone.
        channels_last_outputs (bool): Hand on the feature maps as they are, channels-last where
            that was faster. Only for necks and heads all of whose operators heed strides: MMCV's
            RoIAlign reads channels-last maps as if they were not and returns garbage without an
            error (``GatherRoIExtractor`` guards it). Default: False.
        **kwargs: As for the backbone.
    """

    trains_channels_last = True
    """Whether the trained stages are channels-last as well."""

    def __init__(self, *args, channels_last_outputs: bool = False, **kwargs):
        super().__init__(*args, **kwargs)
        self.channels_last_outputs = channels_last_outputs
        self._folds = FoldCache()
        self._order_weights()

    def run_stem(self, x: Tensor) -> Tensor:
        """Return what the stem hands to the first stage."""
        raise NotImplementedError

    def run_block(self, block: nn.Module, x: Tensor, owns_input: bool) -> Tensor:
        """Return a block's output.

        Args:
            block: One of ``stages()``.
            x: Its input.
            owns_input: Nobody else needs ``x``, so its memory may be used for the output.
        """
        raise NotImplementedError

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the feature maps of ``out_indices``.

        Args:
            x: Images, shape (N, 3, H, W).

        Returns:
            tuple[Tensor]: One map (N, C_i, H / stride_i, W / stride_i) for each index.
        """
        outs = []
        with _grad_mode(self.frozen_stages >= 0, x):
            x = self.run_stem(self._ordered(x, self.frozen_stages >= 0))
        for i, blocks in enumerate(self.stages()):
            # Without a graph up to here, the frozen prefix is whatever needs no gradient.
            with _grad_mode(self.frozen_stages > i, x):
                x = self._ordered(x, self.frozen_stages > i)
                for j, block in enumerate(blocks):
                    x = self.run_block(block, x, owns_input=j > 0)
            if i in self.out_indices:
                outs.append(x if self.channels_last_outputs else x.contiguous())
        return tuple(outs)

    def run_layers(
        self,
        layers: Sequence[Layer],
        x: Tensor,
        residual: Tensor | None = None,
        owns_residual: bool = False,
    ) -> Tensor:
        """Run foldable layers one after the other; the last adds ``residual``.

        Args:
            layers: Layers for all of which ``is_foldable`` holds.
            x: Input of the first.
            residual: What the last adds before its activation, or None.
            owns_residual: Its memory may be used for the output.
        """
        *inner, last = layers
        for layer in inner:
            x = self._run_layer(layer, x)
        return self._run_layer(last, x, residual, owns_residual)

    def init_weights(self) -> None:
        """Initialise as the parent class does, random numbers included."""
        self.to(memory_format=torch.contiguous_format)  # they are drawn in the order of memory
        super().init_weights()
        self._order_weights()

    def train(self, mode: bool = True) -> FrozenPrefix:
        """Switch modes as the parent class does, and fold anew if that was another one."""
        changed = mode != self.training  # MMEngine's loop says train() before every step
        super().train(mode)
        if changed and hasattr(self, "_folds"):
            self._folds.clear()
        return self

    def __getstate__(self):
        # Folds are derived data: a copy or a pickle of the model makes its own.
        return {**self.__dict__, "_folds": FoldCache()}

    def _ordered(self, x: Tensor, frozen: bool) -> Tensor:
        if not prefers_channels_last(x):
            return x
        if frozen or self.trains_channels_last:
            return x.contiguous(memory_format=torch.channels_last)
        return x.contiguous()

    def _order_weights(self) -> None:
        # As the activations: otherwise each step writes the trained weights and their gradients
        # over in the other order, twice. On CUDA the activations alone decide: cuDNN would take
        # its order from the weights, too.
        if self.trains_channels_last and not torch.cuda.is_available():
            self.to(memory_format=torch.channels_last)

    def _run_layer(
        self, layer: Layer, x: Tensor, residual: Tensor | None = None, owns_residual: bool = False
    ) -> Tensor:
        conv = layer.conv
        x, padding = _same_padding(conv, x)
        geometry = (conv.stride, padding, conv.dilation, conv.groups)
        weight, bias = self._folded(conv, layer.norm, x, geometry)
        return fused_conv(x, weight, bias, *geometry, layer.activation, residual, owns_residual)

    def _folded(
        self, conv: nn.Conv2d, norm: nn.Module | None, x: Tensor, geometry: tuple
    ) -> tuple[Tensor, Tensor | None]:
        if norm is None:
            return conv.weight, conv.bias
        # Without a graph, as in validation, what is trained is constant, too, until the next step.
        trained = any(p.requires_grad for m in (conv, norm) for p in m.parameters())
        recorded = torch.is_grad_enabled() and (trained or x.requires_grad)
        keep = x.device.type != "cpu" or not self.training or _is_worth_keeping(conv, x)
        if recorded or not keep:
            return fold(conv, norm, conv.weight.dtype)
        # A validation always begins with the same image; only oneDNN's order is that of a shape.
        shape = x.shape if self.training and x.device.type == "cpu" else None
        lay_out = partial(_lay_out, x=x, geometry=geometry)
        return self._folds.get(conv, norm, compute_dtype(x), lay_out, shape)


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


def _is_worth_keeping(conv: nn.Conv2d, x: Tensor) -> bool:
    height, width = (n // stride for n, stride in zip(x.shape[-2:], conv.stride, strict=True))
    few_positions = len(x) * height * width < _FEW_POSITIONS
    return few_positions or conv.weight.numel() <= _FEW_ELEMENTS


def _lay_out(weight: Tensor, x: Tensor, geometry: tuple) -> Tensor:
    """Return a weight in the order that its convolution of ``x`` would put it into."""
    if is_fusible(x):
        return pack_weight(weight, x, *geometry)
    if x.is_contiguous(memory_format=torch.channels_last):
        return weight.contiguous(memory_format=torch.channels_last)
    return weight


def is_plain(conv: nn.Module) -> bool:
    """Whether a module is a convolution whose padding is a number of zeros, or TensorFlow's."""
    if type(conv) is Conv2dAdaptivePadding:
        return True
    return type(conv) is nn.Conv2d and conv.padding_mode == "zeros" and conv.padding != "same"


def _grad_mode(frozen: bool, x: Tensor) -> contextlib.AbstractContextManager:
    """No graph in a frozen part, unless somebody wants the gradient of the image itself."""
    # Not set_grad_enabled(...): under torch.compile it could stay off after the block.
    return torch.no_grad() if frozen and not x.requires_grad else contextlib.nullcontext()


def _same_padding(conv: nn.Conv2d, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """Return the input and the padding on both sides that a convolution takes of it.

    TensorFlow's "same" padding is one row and column more at the bottom and right where the total
    is odd, which a convolution's own padding cannot do.
    """
    if type(conv) is not Conv2dAdaptivePadding:
        return x, conv.padding
    extents = zip(x.shape[-2:], conv.kernel_size, conv.stride, conv.dilation, strict=True)
    height, width = (_total_padding(*extent) for extent in extents)
    if height % 2 == width % 2 == 0:
        return x, (height // 2, width // 2)
    pads = (width // 2, width - width // 2, height // 2, height - height // 2)
    return F.pad(x, pads), (0, 0)


def _total_padding(size: int, kernel: int, stride: int, dilation: int) -> int:
    return max((math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
