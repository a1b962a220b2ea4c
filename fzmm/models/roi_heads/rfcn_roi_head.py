"""R-FCN's RoI head: MMDetection's, with the pooling after the last layer in place of before."""

from __future__ import annotations

from mmdet.models.roi_heads import StandardRoIHead
from mmdet.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class RFCNRoIHead(StandardRoIHead):
    """``StandardRoIHead`` whose box head reads the last feature map itself: :class:`RFCNBBoxHead`.

    Assigning, sampling, losses and post-processing are MMDetection's.
    """

    def init_bbox_head(self, bbox_roi_extractor: dict | None, bbox_head: dict) -> None:
        """Build the box head; there is no extractor.

        Args:
            bbox_roi_extractor: None.
            bbox_head: Config of the box head.
        """
        self.bbox_head = MODELS.build(bbox_head)

    def _bbox_forward(self, x: tuple[Tensor, ...], rois: Tensor) -> dict[str, Tensor]:
        cls_score, bbox_pred = self.bbox_head(x[-1], rois)
        return dict(cls_score=cls_score, bbox_pred=bbox_pred)
