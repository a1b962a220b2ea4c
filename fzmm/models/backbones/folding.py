"""Batch normalisation with constant statistics, as a scale and a shift of its convolution."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def is_constant(norm: nn.Module) -> bool:
    """Whether ``norm`` is a batch norm that applies its stored statistics, whatever the batch."""
    return isinstance(norm, _BatchNorm) and not norm.training and norm.running_mean is not None


def scale_and_shift(norm: _BatchNorm, dtype: torch.dtype | None = None) -> tuple[Tensor, Tensor]:
    """Return ``(scale, shift)``, shape (C,) each, with ``norm(y) == y * scale + shift``.

    Eq. 1 of Ioffe and Szegedy (https://arxiv.org/abs/1502.03167) with constant mean and variance:
    ``scale = weight / sqrt(var + eps)`` and ``shift = bias - mean * scale``. Differentiable in the
    norm's weight and bias where they are trained.

    Args:
        norm: A batch norm for which ``is_constant`` holds.
        dtype: The type to compute in; the parameters' own by default.
    """
    mean, var = norm.running_mean.to(dtype), norm.running_var.to(dtype)
    scale = torch.rsqrt(var + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight.to(dtype)
    shift = -mean * scale
    if norm.bias is not None:
        shift = shift + norm.bias.to(dtype)
    return scale, shift


def fold(
    conv: nn.Conv2d, norm: _BatchNorm, dtype: torch.dtype | None = None
) -> tuple[Tensor, Tensor]:
    """Return the weight and bias of the one convolution that equals ``norm(conv(x))``.

    Parameters that are trained keep their gradient: the weight's is that of the unfolded pair by
    the product rule, so training through the folded pair is training the pair.

    Args:
        conv: The convolution.
        norm: Its batch norm, for which ``is_constant`` holds.
        dtype: The type to compute in. By default double precision where nothing is trained, so
            that a fold that is kept (``FoldCache``) is exact to rounding, else the parameters'.

    Returns:
        tuple: Weight (C_out, C_in / groups, kh, kw) and bias (C_out,), in the weight's type.
    """
    weight = conv.weight
    trained = any(p.requires_grad for p in (weight, *norm.parameters()))
    if dtype is None and not trained:
        dtype = torch.float64
    scale, shift = scale_and_shift(norm, dtype)
    if conv.bias is not None:
        shift = shift + conv.bias.to(dtype) * scale
    folded = weight.to(dtype) * scale.view(-1, 1, 1, 1)
    return folded.to(weight.dtype), shift.to(weight.dtype)


class FoldCache:
    """Folded weights of frozen convolutions, computed when first asked for.

    An entry is valid as long as the five tensors that it was made from are the same storage at the
    same version: loading a checkpoint, an optimizer's step or ``.to()`` makes it anew. Writing
    through ``tensor.data`` leaves no trace in a version, so ``clear()`` is called by the backbone
    whenever it is switched between training and evaluation as well.
    """

    def __init__(self):
        self._entries: dict[tuple, tuple] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def get(
        self,
        conv: nn.Conv2d,
        norm: _BatchNorm,
        dtype: torch.dtype,
        lay_out: Callable[[Tensor], Tensor],
        shape: tuple[int, ...] | None,
    ) -> tuple[Tensor, Tensor]:
        """Return the folded weight and bias in ``dtype``, made by ``fold`` if needed.

        Args:
            conv: The convolution, none of whose parameters is trained.
            norm: Its batch norm.
            dtype: The type in which the convolution computes (mixed precision's, if that is on).
            lay_out: Puts the weight into the order that the convolution needs, which would do it
                at every call otherwise.
            shape: Of the input for which it does; another one makes the entry anew. None where
                the order for one input does for all.
        """
        sources = (conv.weight, norm.weight, norm.bias, norm.running_mean, norm.running_var)
        state = [
            None if t is None else (t.data_ptr(), t._version, t.dtype, t.device) for t in sources
        ]
        state.append(shape)
        entry = self._entries.get((conv, dtype))
        if entry is None or entry[0] != state:
            weight, bias = fold(conv, norm)
            weight, bias = weight.detach().to(dtype), bias.detach().to(dtype)
            entry = (state, lay_out(weight), bias)
            self._entries[conv, dtype] = entry
        return entry[1], entry[2]
