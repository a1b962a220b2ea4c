"""Low-quality matches as torchvision makes them."""

from __future__ import annotations

from mmdet.models.task_modules.assigners import AssignResult, MaxIoUAssigner
from mmdet.registry import TASK_UTILS
from torch import Tensor


@TASK_UTILS.register_module()
class TorchvisionMaxIoUAssigner(MaxIoUAssigner):
    """MMDetection's ``MaxIoUAssigner``; each positive takes the box that it overlaps most.

    With ``match_low_quality=True`` an anchor that is the best of some box becomes positive however
    low its IoU. MMDetection gives it that box; torchvision (0.29.1, ``set_low_quality_matches_`` of
    ``models/detection/_utils.py``) the one that the anchor itself overlaps most, which is another
    for half of the positives of small nested boxes.

    Args:
        *args: As for ``mmdet.models.task_modules.MaxIoUAssigner``.
        **kwargs: Likewise.
    """

    def assign_wrt_overlaps(self, overlaps: Tensor, gt_labels: Tensor) -> AssignResult:
        """Return which box each anchor is assigned to.

        Args:
            overlaps: IoU of k boxes with n anchors, shape (k, n).
            gt_labels: Labels of the boxes, shape (k,).
        """
        result = super().assign_wrt_overlaps(overlaps, gt_labels)
        if overlaps.numel() == 0:
            return result
        positive = result.gt_inds > 0
        best_box = overlaps.max(dim=0).indices[positive]
        result.gt_inds[positive] = best_box + 1  # 0 is the background
        result.labels[positive] = gt_labels[best_box]
        return result
