"""Position-sensitive RoI pooling, Eq. 1 of R-FCN (https://arxiv.org/abs/1605.06409)."""

from __future__ import annotations

import torch
from torch import Tensor


def position_sensitive_pool(maps: Tensor, rois: Tensor, bins: int, scale: float) -> Tensor:
    """Average each bin of a RoI over the map that answers for that bin alone.

    A RoI's corners are rounded to cells of the map. Bin i of k along an axis of w cells holds those
    from floor(i w / k) to below ceil((i + 1) w / k), counted from the corner; cells outside the map
    do not count, and a bin without cells is 0.

    Args:
        maps: Shape (N, C * bins ** 2, H, W); channel (c * bins + row) * bins + column answers for
            the bin in that row and column.
        rois: Shape (K, 5): image index, x1, y1, x2, y2 in pixels of the input.
        bins: Bins along each side, the paper's k.
        scale: Cells of the map for a pixel.

    Returns:
        Tensor: Shape (K, C, bins, bins).
    """
    num, channels, height, width = maps.shape
    maps = maps.reshape(num, channels // bins**2, bins, bins, height, width)
    corners = (rois[:, 1:] * scale).round()
    columns = _shares(corners[:, 0], corners[:, 2], bins, width).to(maps.dtype)
    rows = _shares(corners[:, 1], corners[:, 3], bins, height).to(maps.dtype)

    out = maps.new_zeros(len(rois), maps.shape[1], bins, bins)
    for image in range(num):
        picked = (rois[:, 0] == image).nonzero().squeeze(1)
        pooled = [
            _weighted_sums(maps[image, :, i, j], rows[picked, i], columns[picked, j])
            for i in range(bins)
            for j in range(bins)
        ]
        out = out.index_put((picked,), torch.stack(pooled, -1).unflatten(-1, (bins, bins)))

    return out


def _shares(start: Tensor, end: Tensor, bins: int, cells: int) -> Tensor:
    """Return each cell's share of each bin's mean along one axis, shape (K, bins, cells)."""
    size = (end - start).clamp(min=1)[:, None]  # a RoI of no cells takes the one it starts in
    index = torch.arange(bins, device=start.device)
    first = start[:, None] + (index * size / bins).floor()
    last = start[:, None] + ((index + 1) * size / bins).ceil()
    cell = torch.arange(cells, device=start.device)
    inside = (cell >= first[..., None]) & (cell < last[..., None])
    return inside / inside.sum(-1, keepdim=True).clamp(min=1)


def _weighted_sums(values: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return the sums of (C, H, W) with weights (K, H) and (K, W), shape (K, C).

    A matrix product: no operator of our own is needed, on any device, and its gradient is exact.
    """
    weights = (rows[:, :, None] * columns[:, None, :]).flatten(1)
    return weights @ values.flatten(1).t()
