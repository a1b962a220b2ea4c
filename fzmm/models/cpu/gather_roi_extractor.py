"""RoIAlign as a weighted sum of rows, for CPUs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmcv.ops import RoIAlign
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmdet.registry import MODELS
from torch import Tensor

from fzmm.ops.roi_bins import bins


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
            ratio=(layer.sampling_ratio, layer.sampling_ratio),
            aligned=layer.aligned,
        )

        out = F.embedding_bag(index, table, mode="sum", per_sample_weights=weight.to(table.dtype))
        return out.view(len(rois), *layer.output_size, -1).permute(0, 3, 1, 2)

    def _applies(self, feat: Tensor) -> bool:
        return feat.device.type == "cpu" and all(
            type(layer) is RoIAlign and layer.sampling_ratio > 0 and layer.pool_mode == "avg"
            for layer in self.roi_layers
        )
