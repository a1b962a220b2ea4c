"""RoIAlign as a weighted sum of rows, for CPUs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmcv.ops import RoIAlign
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmdet.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class GatherRoIExtractor(SingleRoIExtractor):
    """MMDetection's ``SingleRoIExtractor``: same arguments and numbers, faster on a CPU.

    A bin of RoIAlign (https://arxiv.org/abs/1703.06870) is a weighted sum of the feature vectors
    next to its sampling points: 4 neighbours of ``sampling_ratio ** 2`` points. With the maps of
    all levels as one table of channels-last rows that is one ``embedding_bag``, which is vectorised
    over channels and runs on all cores; MMCV's CPU kernel is one scalar loop on one core. So is
    its backward pass.

    Where that does not apply (CUDA, ``sampling_ratio=0``, maximum pooling, other RoI layers) the
    parent class does the work. MMCV's kernels then get what they need: contiguous maps (they ignore
    strides, so a channels-last map would be read wrongly without an error), and single precision
    under bfloat16, which they refuse and in which RoI coordinates would be off by pixels.
    """

    def forward(self, feats, rois: Tensor, roi_scale_factor: float | None = None) -> Tensor:
        """Return the RoIs' features, shape (K, C, output height, output width).

        Args:
            feats (tuple[Tensor]): Feature maps, shape (N, C, H_l, W_l) each.
            rois: Shape (K, 5): image index, x1, y1, x2, y2 in pixels of the input.
            roi_scale_factor: Factor by which RoIs grow after their level was chosen.
        """
        feats = feats[: len(self.roi_layers)]
        if not self._applies(feats[0]) or len(rois) == 0:
            if feats[0].dtype == torch.bfloat16:
                feats = [feat.float() for feat in feats]
            feats = tuple(feat.contiguous() for feat in feats)
            return super().forward(feats, rois.to(feats[0].dtype), roi_scale_factor)
        levels = self.map_roi_levels(rois, len(feats))
        if roi_scale_factor is not None:
            rois = self.roi_rescale(rois, roi_scale_factor)
        table, first_rows, sizes = [], [], []
        rows = 0
        for feat in feats:
            num, channels, height, width = feat.shape
            first_rows.append(rows)
            sizes.append((height, width))
            rows += num * height * width
            table.append(feat.permute(0, 2, 3, 1).reshape(-1, channels))
        table = table[0] if len(table) == 1 else torch.cat(table)
        layer = self.roi_layers[0]
        index, weight = bins(
            rois.float(),
            scale=rois.new_tensor([1 / s for s in self.featmap_strides]).float()[levels],
            size=torch.tensor(sizes)[levels],
            first_row=torch.tensor(first_rows)[levels],
            output_size=layer.output_size,
            ratio=layer.sampling_ratio,
            aligned=layer.aligned,
        )
        out = F.embedding_bag(index, table, mode="sum", per_sample_weights=weight.to(table.dtype))
        return out.view(len(rois), *layer.output_size, -1).permute(0, 3, 1, 2)

    def _applies(self, feat: Tensor) -> bool:
        return feat.device.type == "cpu" and all(
            type(layer) is RoIAlign and layer.sampling_ratio > 0 and layer.pool_mode == "avg"
            for layer in self.roi_layers
        )


def bins(rois, scale, size, first_row, output_size, ratio: int, aligned: bool):
    """Return which rows each bin of RoIAlign sums, and with which weights.

    Follows MMCV's kernel operation by operation, so that coordinates round the same way.

    Args:
        rois (Tensor): Shape (K, 5): image index, x1, y1, x2, y2.
        scale (Tensor): Shape (K,), cells of the RoI's map for a pixel.
        size (Tensor): Shape (K, 2), height and width of the RoI's map.
        first_row (Tensor): Shape (K,), where the RoI's level starts in the table of rows.
        output_size (tuple[int, int]): Bins of a RoI, (h, w).
        ratio: Sampling points of a bin along each axis.
        aligned: Whether cell centres lie at half-integers (Detectron2's RoIAlign).

    Returns:
        tuple[Tensor, Tensor]: Row indices and weights, shape (K * h * w, 4 * ratio ** 2) each.
    """
    offset = 0.5 if aligned else 0.0
    start = rois[:, 1:3] * scale[:, None] - offset
    extent = rois[:, 3:5] * scale[:, None] - offset - start
    if not aligned:
        extent = extent.clamp(min=1.0)
    x, x_weight = _axis(start[:, 0], extent[:, 0], output_size[1], ratio, size[:, 1])
    y, y_weight = _axis(start[:, 1], extent[:, 1], output_size[0], ratio, size[:, 0])
    height, width = size[:, 0], size[:, 1]
    image_row = first_row + rois[:, 0].long() * height * width
    y = image_row[:, None, None] + y * width[:, None, None]
    index = y[:, :, None, :, None] + x[:, None, :, None, :]
    weight = y_weight[:, :, None, :, None] * x_weight[:, None, :, None, :] / (ratio * ratio)
    return index.flatten(0, 2).flatten(1), weight.flatten(0, 2).flatten(1)


def _axis(start, extent, num_bins: int, ratio: int, size):
    """Return neighbours and interpolation weights along one axis, (K, num_bins, 2 * ratio) each."""
    step = extent[:, None, None] / num_bins
    bin_start = start[:, None, None] + torch.arange(num_bins)[:, None] * step
    point = bin_start + (torch.arange(ratio) + 0.5) * step / ratio
    size = size[:, None, None]
    inside = (point >= -1) & (point <= size)
    point = point.clamp(min=0)
    low = torch.minimum(point.long(), size - 1)
    high = torch.minimum(low + 1, size - 1)
    fraction = torch.where(low == high, 0.0, point - low)
    low_weight, high_weight = (1 - fraction) * inside, fraction * inside
    return torch.cat([low, high], -1), torch.cat([low_weight, high_weight], -1)
