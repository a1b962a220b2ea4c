"""R-FCN: object detection via region-based fully convolutional networks."""

from __future__ import annotations

from mmdet.models.detectors import FasterRCNN
from mmdet.registry import MODELS


@MODELS.register_module()
class RFCN(FasterRCNN):
    """R-FCN of Dai et al., NIPS 2016 (https://arxiv.org/abs/1605.06409).

    Its way through the network is Faster R-CNN's; its parts make the difference: a backbone of two
    maps at stride 16 (conv5 is dilated), a ``FirstMapRPNHead`` on conv4, and an ``RFCNRoIHead``
    with an ``RFCNBBoxHead`` on conv5. ``configs/_base_/rfcn_r50.py`` puts them together.
    """
