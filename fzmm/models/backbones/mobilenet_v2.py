"""MobileNetV2 for detectors that do not use its last convolution."""

from __future__ import annotations

from typing import Any

from mmdet.models.backbones import MobileNetV2
from mmdet.registry import MODELS


@MODELS.register_module()
class DetectionMobileNetV2(MobileNetV2):
    """MMDetection's ``MobileNetV2`` without ``conv2``: a stem and seven stages, which all freeze.

    ``conv2``, of 1,280 channels, serves the classifier. No number of ``frozen_stages`` freezes it,
    and where no map of it is asked for, its 412,160 parameters would be trained by nothing.

    Args:
        *args: As for ``mmdet.models.MobileNetV2``.
        out_indices (Sequence[int]): Default: (1, 2, 4, 6), 24, 32, 96 and 320 channels at strides
            4 to 32 for an FPN.
        **kwargs: As for ``mmdet.models.MobileNetV2``.
    """

    def __init__(self, *args: Any, out_indices=(1, 2, 4, 6), **kwargs: Any):
        super().__init__(*args, out_indices=out_indices, **kwargs)
        self.layers.remove("conv2")
        del self.conv2

    def _freeze_stages(self) -> None:
        super()._freeze_stages()
        if self.frozen_stages >= 0:
            self.conv1.eval()  # MMDetection's leaves the statistics of this norm moving
