"""RoIAlign with the numbers of MMCV's compiled operator.

A bin of RoIAlign (https://arxiv.org/abs/1703.06870) is a weighted sum of the feature vectors next
to its sampling points. With the feature map as a table of channels-last rows, all bins are one
``embedding_bag``, and its gradient is one product with a sparse matrix. Both are vectorised over
channels, where MMCV's and torchvision's CPU kernels are scalar loops: for 512 RoIs of 256 channels
the forward pass takes a tenth of their time, the backward pass an eighth. So torchvision is asked
on other devices only.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fzmm.ops.nms import torchvision_operators
from fzmm.ops.roi_bins import Geometry, bin_batches
from fzmm.ops.roi_max import max_backward, max_forward

_MAX_POOLING = 0  # MMCV's number of the mode


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill ``output``: ``mmcv._ext.roi_align_forward``.

    Args:
        input: Feature map, shape (N, C, H, W).
        rois: Shape (K, 5): image index, x1, y1, x2, y2 in pixels of the input image.
        output: Shape (K, C, aligned_height, aligned_width).
        argmax_y: Filled by maximum pooling: where the maximum lies, in cells; ``output``'s shape.
        argmax_x: The same along the other axis.
        aligned_height: Bins of a RoI.
        aligned_width: The same along the other axis.
        spatial_scale: Cells of the feature map for a pixel.
        sampling_ratio: Sampling points of a bin along each axis; 0 for one a cell.
        pool_mode: 1 for the average of the sampling points, 0 for their maximum.
        aligned: Whether cell centres lie at half-integers (Detectron2's RoIAlign).
    """
    geometry = Geometry((aligned_height, aligned_width), spatial_scale, sampling_ratio, aligned)
    if pool_mode == _MAX_POOLING:
        max_forward(input, rois, output, argmax_y, argmax_x, geometry)
        return
    torchvision = _torchvision(input)
    if torchvision is not None:
        output.copy_(
            torchvision.roi_align(
                input,
                rois,
                spatial_scale,
                aligned_height,
                aligned_width,
                sampling_ratio,
                aligned,
            )
        )
        return

    table = input.permute(0, 2, 3, 1).reshape(-1, input.shape[1])
    for chosen, index, weight in bin_batches(rois, input.shape, geometry):
        bins = F.embedding_bag(index, table, mode="sum", per_sample_weights=weight.to(table.dtype))
        output[chosen] = bins.view(len(chosen), *geometry.output_size, -1).permute(0, 3, 1, 2)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Add to ``grad_input`` (N, C, H, W), which is zero: ``mmcv._ext.roi_align_backward``."""
    geometry = Geometry((aligned_height, aligned_width), spatial_scale, sampling_ratio, aligned)
    if pool_mode == _MAX_POOLING:
        max_backward(grad_output, rois, argmax_y, argmax_x, grad_input)
        return
    torchvision = _torchvision(grad_output)
    if torchvision is not None:
        grad_input.add_(
            torchvision._roi_align_backward(
                grad_output,
                rois,
                spatial_scale,
                aligned_height,
                aligned_width,
                *grad_input.shape,
                sampling_ratio,
                aligned,
            )
        )
        return

    num, channels, height, width = grad_input.shape
    # CUDA multiplies no sparse matrix in half precision, which autocast would choose as well
    dtype = torch.promote_types(grad_output.dtype, torch.float32)
    with torch.autocast(grad_output.device.type, enabled=False):
        for chosen, index, weight in bin_batches(rois, grad_input.shape, geometry):
            grad_bins = grad_output[chosen].permute(0, 2, 3, 1).reshape(-1, channels).to(dtype)
            grad_table = _spread(index, weight.to(dtype), num * height * width) @ grad_bins
            grad_input += grad_table.view(num, height, width, channels).permute(0, 3, 1, 2)


def _torchvision(tensor: Tensor):
    """Return torchvision's operators, None where they are slower or refuse."""
    if tensor.device.type == "cpu" or tensor.dtype is torch.bfloat16:
        return None
    if torch.are_deterministic_algorithms_enabled():
        return None
    return torchvision_operators(tensor.device.type)


def _spread(index: Tensor, weight: Tensor, rows: int) -> Tensor:
    """Return the sparse matrix (rows, bins) that gives each row its share of the bins."""
    bins = torch.arange(len(index), device=index.device).repeat_interleave(index.shape[1])
    return torch.sparse_coo_tensor(
        torch.stack([index.flatten(), bins]),
        weight.flatten(),
        (rows, len(index)),
        check_invariants=False,
    )
