"""Anchors where torchvision puts them."""

from __future__ import annotations

import torch
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from mmdet.registry import TASK_UTILS
from torch import Tensor


@TASK_UTILS.register_module()
class TorchvisionAnchorGenerator(AnchorGenerator):
    """MMDetection's ``AnchorGenerator`` with the anchors of torchvision's, number for number.

    Three things differ (torchvision 0.29.1, ``models/detection/anchor_utils.py`` and ``rpn.py``):

    - Corners of the base anchors are rounded to whole pixels.
    - A level's stride is the padded image's size // the map's. That is the nominal stride but for
      maps that are rounded up: P6 of a side of 800 pixels has 13 cells, 61 pixels apart, not 64.
    - No anchor is left out for lying in the padding of a batch; it is a negative like others.

    The padded size is taken from the first level's map, so it has to be a multiple of that level's
    stride, as with ``pad_size_divisor=32``.

    Args:
        *args: As for ``mmdet.models.task_modules.AnchorGenerator``.
        **kwargs: Likewise.
    """

    def gen_single_level_base_anchors(self, *args, **kwargs) -> Tensor:
        """Return the base anchors of a level, shape (A, 4), corners in whole pixels."""
        return super().gen_single_level_base_anchors(*args, **kwargs).round()

    def grid_priors(
        self,
        featmap_sizes: list[tuple[int, int]],
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cuda",
    ) -> list[Tensor]:
        """Return the anchors of each level, shape (H_l * W_l * A, 4).

        Args:
            featmap_sizes: Height and width of each level's map.
            dtype: Type of the anchors.
            device: Where they are made.
        """
        nominal = self.strides
        (height, width), (stride_x, stride_y) = featmap_sizes[0], nominal[0]
        self.strides = [
            (width * stride_x // map_width, height * stride_y // map_height)
            for map_height, map_width in featmap_sizes
        ]
        try:
            return super().grid_priors(featmap_sizes, dtype, device)
        finally:
            self.strides = nominal

    def valid_flags(
        self,
        featmap_sizes: list[tuple[int, int]],
        pad_shape: tuple,
        device: str | torch.device = "cuda",
    ) -> list[Tensor]:
        """Return that every anchor counts, for each level a bool tensor (H_l * W_l * A,).

        Args:
            featmap_sizes: Height and width of each level's map.
            pad_shape: Height and width of the image with its own padding; not heeded.
            device: Where the flags are made.
        """
        return [
            torch.ones(int(height * width * num), dtype=torch.bool, device=device)
            for (height, width), num in zip(featmap_sizes, self.num_base_priors, strict=True)
        ]
