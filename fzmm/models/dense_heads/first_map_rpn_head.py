"""A region proposal network on the first of several feature maps."""

from __future__ import annotations

from mmdet.models.dense_heads import RPNHead
from mmdet.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class FirstMapRPNHead(RPNHead):
    """``RPNHead`` that leaves the maps after the first to the RoI head, as in R-FCN."""

    def forward(self, x: tuple[Tensor, ...]) -> tuple[list[Tensor], list[Tensor]]:
        """Return scores and deltas of the first map.

        Args:
            x: Feature maps, shape (N, C_i, H_i, W_i) each.
        """
        return super().forward(x[:1])
