"""VGG as a detector's backbone: five stages of maps, of which the first k freeze."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import VGG
from mmdet.registry import MODELS
from mmengine.model import BaseModule

STAGES = 5


@MODELS.register_module()
class DetectionVGG(VGG, BaseModule):
    """MMCV's ``VGG`` without its classifier, whose keys are torchvision's.

    Each stage ends in its pooling: maps of 64, 128, 256, 512 and 512 channels at strides 2 to 32.

    Args:
        depth (int): 11, 13, 16 or 19.
        out_indices (Sequence[int]): Stages whose maps are returned. Default: (1, 2, 3, 4), strides
            4 to 32 for an FPN.
        frozen_stages (int): The first so many stages are frozen, -1 and 0 freeze nothing; VGG has
            no stem. Default: -1.
        init_cfg (dict, optional): Such as ``dict(type="Pretrained",
            checkpoint="torchvision://vgg16")``. Default: random weights.
        **kwargs: As for ``mmcv.cnn.VGG``.

    Raises:
        ValueError: If there are not so many stages.
    """

    def __init__(
        self,
        depth: int,
        out_indices: Sequence[int] = (1, 2, 3, 4),
        frozen_stages: int = -1,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
        **kwargs: Any,
    ):
        if frozen_stages not in range(-1, STAGES + 1):
            raise ValueError(f"frozen_stages must be -1 to {STAGES}, not {frozen_stages}")
        super().__init__(depth, out_indices=out_indices, frozen_stages=frozen_stages, **kwargs)
        self.init_cfg = init_cfg or dict(type="Kaiming", layer="Conv2d")
        self.train()  # VGG freezes there alone, and an optimizer may be built before

    def init_weights(self) -> None:
        """Initialise as ``init_cfg`` says, which ``mmcv.cnn.VGG`` does not know."""
        BaseModule.init_weights(self)

    def train(self, mode: bool = True) -> DetectionVGG:
        """Switch modes; what is frozen stays in evaluation."""
        super().train(mode)
        return self
