"""R-FCN's box head: all of its layers are convolutions of the whole image."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.registry import MODELS
from torch import Tensor, nn

from fzmm.models.roi_heads.position_sensitive_pool import position_sensitive_pool


@MODELS.register_module()
class RFCNBBoxHead(BBoxHead):
    """Position-sensitive score maps and box maps, pooled for each RoI and averaged over its bins.

    Sections 2.2 and 2.3 of Dai et al., "R-FCN" (https://arxiv.org/abs/1605.06409): conv5 is reduced
    to 1,024 channels, then one 1 x 1 convolution gives ``bins ** 2`` maps for each class and the
    background, another as many for each of four box deltas, which all classes share. What is left
    to do for a RoI has no parameters.

    Args:
        in_channels (int): Channels of conv5. Default: 2048.
        feat_channels (int): Channels after the reduction. Default: 1024.
        bins (int): Bins along each side of a RoI, the paper's k. Default: 7.
        stride (int): Of conv5, in pixels of the image. Default: 16.
        **kwargs: As for ``mmdet``'s ``BBoxHead``.
    """

    def __init__(
        self,
        in_channels: int = 2048,
        feat_channels: int = 1024,
        bins: int = 7,
        stride: int = 16,
        **kwargs: Any,
    ):
        init_cfg = kwargs.pop("init_cfg", None) or dict(type="Normal", layer="Conv2d", std=0.01)
        super().__init__(
            roi_feat_size=bins,
            in_channels=1,  # of the fully connected layers, which go
            reg_class_agnostic=True,
            init_cfg=init_cfg,
            **kwargs,
        )

        scores, deltas = self.fc_cls.out_features, self.fc_reg.out_features
        del self.fc_cls, self.fc_reg
        self.bins = bins
        self.stride = stride
        self.conv_new = nn.Conv2d(in_channels, feat_channels, 1)
        self.conv_cls = nn.Conv2d(feat_channels, scores * bins**2, 1)
        self.conv_reg = nn.Conv2d(feat_channels, deltas * bins**2, 1)

    def forward(self, x: Tensor, rois: Tensor) -> tuple[Tensor, Tensor]:
        """Return class scores (K, num_classes + 1) and box deltas (K, 4).

        Args:
            x: conv5, shape (N, in_channels, H, W).
            rois: Shape (K, 5): image index, x1, y1, x2, y2 in pixels.
        """
        x = F.relu(self.conv_new(x))
        scores, deltas = self.conv_cls(x), self.conv_reg(x)
        maps = torch.cat([scores, deltas], 1)
        votes = position_sensitive_pool(maps, rois, self.bins, 1 / self.stride).mean((2, 3))
        return votes.split([out.shape[1] // self.bins**2 for out in (scores, deltas)], 1)
