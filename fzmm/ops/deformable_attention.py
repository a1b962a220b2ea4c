"""Deformable attention (https://arxiv.org/abs/2010.04159) as MMCV computes it on a CPU.

On a GPU MMCV calls its operator; its Python version computes there as well.
"""

from __future__ import annotations

import torch
from torch import Tensor


def ms_deform_attn_forward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Return the attention's output, (N, queries, C): ``mmcv._ext.ms_deform_attn_forward``.

    Args:
        value: Shape (N, keys, heads, C / heads), the levels one after the other.
        spatial_shapes: Height and width of each level, shape (levels, 2).
        level_start_index: Where each level starts; the shapes say it as well.
        sampling_locations: Shape (N, queries, heads, levels, points, 2): x, y in [0, 1].
        attention_weights: Shape (N, queries, heads, levels, points).
        im2col_step: Images that MMCV's kernel computes at once; changes nothing.
    """
    return _attention(spatial_shapes, value, sampling_locations, attention_weights)


def ms_deform_attn_backward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Fill the three gradients, which have their tensors' shapes; the forward pass is repeated."""
    inputs = [value, sampling_locations, attention_weights]
    inputs = [tensor.detach().requires_grad_() for tensor in inputs]
    with torch.enable_grad():
        output = _attention(spatial_shapes, *inputs)
    gradients = torch.autograd.grad(output, inputs, grad_output)
    for filled, gradient in zip(
        (grad_value, grad_sampling_loc, grad_attn_weight), gradients, strict=True
    ):
        filled.copy_(gradient)


def _attention(spatial_shapes: Tensor, value: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    # mmcv.ops imports this module
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    return multi_scale_deformable_attn_pytorch(value, spatial_shapes.tolist(), locations, weights)
