"""RoIAlign with maximum pooling: the largest sampling point of each bin, for each channel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fzmm.ops.roi_bins import Geometry, equal_ratios, neighbours, place, sampling_points

_NOWHERE = -2.0  # outside every map: where the maximum of a bin without sampling points lies


def max_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    geometry: Geometry,
) -> None:
    """Fill ``output`` and where its values were found; see ``roi_align_forward``."""
    _, channels, height, width = input.shape
    table = input.permute(0, 2, 3, 1).reshape(-1, channels)
    for argmax in (argmax_y, argmax_x):
        argmax.fill_(_NOWHERE)
    for chosen, ratio in equal_ratios(rois, geometry):
        y, x = _points(rois[chosen], geometry, ratio)
        index, weight = _four_cells(y, x, height, width)
        index = index + rois[chosen, 0].long()[:, None, None] * height * width
        values = F.embedding_bag(
            index.flatten(0, 1),
            table,
            mode="sum",
            per_sample_weights=weight.flatten(0, 1).to(table.dtype),
        )
        # (K, h * w, points, C) -> the best point of each bin and channel
        values = values.view(len(chosen), -1, ratio[0] * ratio[1], channels)
        best, point = values.max(2)
        for target, source in (
            (output, best),
            (argmax_y, _coordinate(y, point)),
            (argmax_x, _coordinate(x, point)),
        ):
            target[chosen] = source.transpose(1, 2).reshape(-1, *output.shape[1:]).to(target.dtype)


def max_backward(
    grad_output: Tensor, rois: Tensor, argmax_y: Tensor, argmax_x: Tensor, grad_input: Tensor
) -> None:
    """Add each bin's gradient to the four cells next to its largest point."""
    _, channels, height, width = grad_input.shape
    index, weight = _four_cells(argmax_y.flatten(1), argmax_x.flatten(1), height, width)
    bins = grad_output.shape[2] * grad_output.shape[3]
    channel = torch.arange(channels, device=rois.device).repeat_interleave(bins)
    plane = rois[:, :1].long() * channels + channel
    index = index + (plane * height * width)[:, :, None]
    grad = (weight * grad_output.flatten(1)[:, :, None]).to(grad_input.dtype)
    grad_input.view(-1).index_add_(0, index.flatten(), grad.flatten())


def _points(rois: Tensor, geometry: Geometry, ratio: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the sampling points' y and x, shape (K, h * w * points), bin by bin."""
    start, extent = place(rois, rois.new_tensor(geometry.spatial_scale), geometry.aligned)
    bins_y, bins_x = geometry.output_size
    y = sampling_points(start[:, 1], extent[:, 1], bins_y, ratio[0])
    x = sampling_points(start[:, 0], extent[:, 0], bins_x, ratio[1])
    # (K, h, w, ratio_y, ratio_x)
    shape = (len(rois), bins_y, bins_x, *ratio)
    y = y[:, :, None, :, None].expand(shape)
    x = x[:, None, :, None, :].expand(shape)
    return y.flatten(1), x.flatten(1)


def _four_cells(y: Tensor, x: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return the cells around single points and their weights, shape (K, points, 4) each."""
    row, row_weight = neighbours(y[:, :, None], torch.full((len(y),), height, device=y.device))
    column, column_weight = neighbours(x[:, :, None], torch.full((len(x),), width, device=x.device))
    index = row[..., :, None] * width + column[..., None, :]
    weight = row_weight[..., :, None] * column_weight[..., None, :]
    return index.flatten(2), weight.flatten(2)


def _coordinate(points: Tensor, best: Tensor) -> Tensor:
    """Return the coordinate of each bin's best point: (K, h * w * points) -> (K, h * w, C)."""
    return points.view(*best.shape[:2], -1).gather(2, best)
