"""A convolution with the addition and activation that follow it, in one kernel if there is one.

On a CPU, oneDNN writes ``relu(conv(x) + residual)`` once instead of writing the convolution and
reading it twice more. PyTorch reaches those kernels through the operators that its own compiler
(inductor) emits for eager graphs; where they are missing, the same is computed in three steps.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor


@functools.cache
def has_fused_kernels(dtype: torch.dtype = torch.float32) -> bool:
    """Whether this build of PyTorch has oneDNN's fused convolutions and they work here.

    In bfloat16 they need AVX-512 or better; without it PyTorch's own convolution computes.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    x, weight = torch.ones(1, 8, 4, 4, dtype=dtype), torch.ones(8, 8, 1, 1, dtype=dtype)
    geometry = ((1, 1), (0, 0), (1, 1), 1)
    try:
        with torch.no_grad():
            weight = pack_weight(weight, x, *geometry)
            y = _fused(x, weight, None, *geometry, "relu", torch.zeros_like(x))
            return bool((y == 8).all())
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        return False


# oneDNN's name and scalars of each activation
_ACTIVATIONS = {None: ("none", []), "relu": ("relu", []), "relu6": ("hardtanh", [0.0, 6.0])}


def _fused(
    x, weight, bias, stride, padding, dilation, groups, activation, residual=None, inplace=False
):
    op = torch.ops.mkldnn
    conv = (bias, padding, stride, dilation, groups)
    if residual is None:
        return op._convolution_pointwise(x, weight, *conv, *_ACTIVATIONS[activation], "")
    addition = ("add", 1.0, activation, [], None)
    if inplace:
        op._convolution_pointwise_.binary(residual, x, weight, *conv, *addition)
        return residual
    return op._convolution_pointwise.binary(x, residual, weight, *conv, *addition)


class _FusedConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, residual, stride, padding, dilation, groups, activation):
        y = _fused(x, weight, bias, stride, padding, dilation, groups, activation, residual)
        ctx.save_for_backward(x, weight, None if activation is None else y)
        ctx.conv = (stride, padding, dilation, groups)
        ctx.activation = activation
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        x, weight, y = ctx.saved_tensors
        stride, padding, dilation, groups = ctx.conv
        if ctx.activation == "relu":
            grad = torch.ops.aten.threshold_backward(grad, y, 0)
        elif ctx.activation == "relu6":
            grad = torch.ops.aten.hardtanh_backward(grad, y, 0, 6)

        mask = list(ctx.needs_input_grad[:3])
        grad_x = grad_weight = grad_bias = None
        if any(mask):
            grad_x, grad_weight, grad_bias = torch.ops.aten.convolution_backward(
                grad, x, weight, [weight.shape[0]],
                stride, padding, dilation, False, [0, 0], groups, mask,
            )  # fmt: skip

        grad_residual = grad if ctx.needs_input_grad[3] else None
        return grad_x, grad_weight, grad_bias, grad_residual, None, None, None, None, None


def compute_dtype(x: Tensor) -> torch.dtype:
    """Return the type in which a convolution of ``x`` computes: autocast's, or that of ``x``."""
    device = x.device.type
    if torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return x.dtype


def is_fusible(x: Tensor) -> bool:
    """Whether a convolution of ``x`` can use the fused kernels here and now."""
    dtype = compute_dtype(x)
    possible = x.device.type == "cpu" and dtype in (torch.float32, torch.bfloat16)
    return possible and has_fused_kernels(dtype)


def pack_weight(
    weight: Tensor,
    x: Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> Tensor:
    """Return a weight in the order in which oneDNN multiplies with it, for ``fused_conv``.

    In any other order it is written over at every call, which for few positions takes as long as
    a good part of the convolution. Inputs that need a gradient cannot be convolved with it.

    Args:
        weight: Shape (C_out, C_in / groups, kh, kw), of a type for which ``is_fusible`` holds.
        x: Input; the order is that for its shape, and fits others less well.
        stride: Of the convolution.
        padding: Likewise.
        dilation: Likewise.
        groups: Likewise.
    """
    reorder = torch.ops.mkldnn._reorder_convolution_weight
    return reorder(weight, padding, stride, dilation, groups, list(x.shape))


def fused_conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    activation: str | None = "relu",
    residual: Tensor | None = None,
    overwrite_residual: bool = False,
) -> Tensor:
    """Return ``activation(conv2d(x, weight, bias) + residual)``, shape (N, C_out, H', W').

    Args:
        x: Input, shape (N, C_in, H, W).
        weight: Shape (C_out, C_in / groups, kh, kw), or what ``pack_weight`` made of it.
        bias: Shape (C_out,), or None.
        stride: As in ``torch.nn.functional.conv2d``.
        padding: Likewise, zeros.
        dilation: Likewise.
        groups: Likewise.
        activation: ``"relu"``, ``"relu6"`` (not with a residual) or None.
        residual: Shape of the output, or None for nothing to add.
        overwrite_residual: The caller needs ``residual`` no longer; its memory may become the
            output's. Only heeded where no gradient is recorded.
    """
    conv = (stride, padding, dilation, groups)
    if not is_fusible(x):
        y = F.conv2d(x, weight, bias, *conv)
        return _activate(y if residual is None else y.add_(residual), activation)

    dtype = compute_dtype(x)
    x = x.to(dtype)
    weight = weight.to(dtype)
    bias = None if bias is None else bias.to(dtype)
    residual = None if residual is None else residual.to(dtype)
    tensors = (x, weight, bias, residual)
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors):
        return _FusedConv.apply(*tensors, *conv, activation)
    if residual is not None and overwrite_residual:
        layout = torch.channels_last if x.is_contiguous(memory_format=torch.channels_last) else None
        overwrite_residual = residual.is_contiguous(memory_format=layout or torch.contiguous_format)

    return _fused(x, weight, bias, *conv, activation, residual, overwrite_residual)


def _activate(y: Tensor, activation: str | None) -> Tensor:
    if activation is None:
        return y
    return F.relu_(y) if activation == "relu" else F.hardtanh_(y, 0.0, 6.0)
