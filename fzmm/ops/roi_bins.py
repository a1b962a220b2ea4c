"""Which cells of a feature map RoIAlign's bins sum, and with which weights.

Follows MMCV's kernel operation by operation, so that coordinates round the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

# Rows that are summed at once; index and weight of a row take 12 bytes, so 50 MB.
_ROWS_AT_ONCE = 2**22


class Geometry(NamedTuple):
    """Where the sampling points of RoIs lie, as MMCV names it."""

    output_size: tuple[int, int]
    spatial_scale: float
    sampling_ratio: int
    aligned: bool


def bin_batches(
    rois: Tensor, shape: torch.Size, geometry: Geometry
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield the rows that bins sum, for RoIs of the same number of sampling points at a time.

    Args:
        rois: Shape (K, 5).
        shape: Of the feature map, (N, C, H, W).
        geometry: Where the sampling points lie.

    Yields:
        tuple[Tensor, Tensor, Tensor]: Which RoIs, and :func:`bins` of these.
    """
    rois = rois if rois.dtype == torch.float64 else rois.float()
    for chosen, ratio in equal_ratios(rois, geometry):
        scale = rois.new_full((len(chosen),), geometry.spatial_scale)
        size = torch.tensor(shape[2:], device=rois.device).expand(len(chosen), 2)
        first_row = torch.zeros(len(chosen), dtype=torch.long, device=rois.device)
        yield (
            chosen,
            *bins(
                rois[chosen],
                scale,
                size,
                first_row,
                geometry.output_size,
                ratio,
                geometry.aligned,
            ),
        )


def equal_ratios(rois: Tensor, geometry: Geometry) -> Iterator[tuple[Tensor, tuple[int, int]]]:
    """Yield indices of RoIs, not too many at once, and the sampling points of a bin (y, x)."""
    if geometry.sampling_ratio > 0:
        ratios = torch.full((len(rois), 2), geometry.sampling_ratio)
    else:
        _, extent = place(rois, rois.new_tensor(geometry.spatial_scale), geometry.aligned)
        ratios = (extent.flip(1) / extent.new_tensor(geometry.output_size)).ceil().long()
    for ratio in ratios.unique(dim=0).tolist():
        if min(ratio) <= 0:
            continue  # a RoI without extent, or inside out, samples nothing and stays zero
        chosen = (ratios == ratios.new_tensor(ratio)).all(1).nonzero()[:, 0]
        rows = 4 * ratio[0] * ratio[1] * geometry.output_size[0] * geometry.output_size[1]
        for batch in chosen.split(max(1, _ROWS_AT_ONCE // rows)):
            yield batch, tuple(ratio)


def bins(rois, scale, size, first_row, output_size, ratio: tuple[int, int], aligned: bool):
    """Return which rows each bin of RoIAlign sums, and with which weights.

    Args:
        rois (Tensor): Shape (K, 5): image index, x1, y1, x2, y2.
        scale (Tensor): Shape (K,), cells of the RoI's map for a pixel.
        size (Tensor): Shape (K, 2), height and width of the RoI's map.
        first_row (Tensor): Shape (K,), where the RoI's level starts in the table of rows.
        output_size (tuple[int, int]): Bins of a RoI, (h, w).
        ratio: Sampling points of a bin along each axis, (y, x).
        aligned: Whether cell centres lie at half-integers (Detectron2's RoIAlign).

    Returns:
        tuple[Tensor, Tensor]: Row indices and weights, shape (K * h * w, 4 * y * x) each.
    """
    start, extent = place(rois, scale[:, None], aligned)
    x, x_weight = neighbours(
        sampling_points(start[:, 0], extent[:, 0], output_size[1], ratio[1]), size[:, 1]
    )
    y, y_weight = neighbours(
        sampling_points(start[:, 1], extent[:, 1], output_size[0], ratio[0]), size[:, 0]
    )
    height, width = size[:, 0], size[:, 1]
    image_row = first_row + rois[:, 0].long() * height * width
    y = image_row[:, None, None] + y * width[:, None, None]
    index = y[:, :, None, :, None] + x[:, None, :, None, :]
    weight = y_weight[:, :, None, :, None] * x_weight[:, None, :, None, :] / (ratio[0] * ratio[1])
    return index.flatten(0, 2).flatten(1), weight.flatten(0, 2).flatten(1)


def place(rois: Tensor, scale: Tensor, aligned: bool) -> tuple[Tensor, Tensor]:
    """Return where RoIs start and how far they extend in cells, (K, 2) each: x, y."""
    offset = 0.5 if aligned else 0.0
    start = rois[:, 1:3] * scale - offset
    extent = rois[:, 3:5] * scale - offset - start
    return start, extent if aligned else extent.clamp(min=1.0)


def sampling_points(start: Tensor, extent: Tensor, num_bins: int, ratio: int) -> Tensor:
    """Return the sampling points along one axis in cells, shape (K, num_bins, ratio)."""
    step = extent[:, None, None] / num_bins
    bin_start = start[:, None, None] + torch.arange(num_bins, device=step.device)[:, None] * step
    return bin_start + (torch.arange(ratio, device=step.device) + 0.5) * step / ratio


def neighbours(point: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cells next to points of one axis and their weights, (..., 2 * ratio) each.

    Args:
        point: Shape (K, bins, ratio), in cells.
        size: Shape (K,), cells of the map along this axis.
    """
    size = size[:, None, None]
    inside = (point >= -1) & (point <= size)
    point = point.clamp(min=0)
    low = torch.minimum(point.long(), size - 1)
    high = torch.minimum(low + 1, size - 1)
    fraction = torch.where(low == high, 0.0, point - low)
    weight = torch.cat([(1 - fraction) * inside, fraction * inside], -1)
    return torch.cat([low, high], -1), weight
