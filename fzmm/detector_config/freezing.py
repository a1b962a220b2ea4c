"""Which detectors can take part: those whose backbone freezes as ResNet's ``frozen_stages``."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any

from fzmm.detector_config.step_time import quiet
from fzmm.errors import UserError
from fzmm.scenarios import FROZEN_STAGES


def trainable_parameters(backbone: Any, frozen_stages: int) -> int:
    """Return how many of a backbone's parameters get gradients; builds it without memory.

    Args:
        backbone: Its config.
        frozen_stages: -1 to 4.
    """
    import torch
    from mmdet.registry import MODELS

    cfg = dict(backbone)
    cfg.update(frozen_stages=frozen_stages, init_cfg=None)
    cfg.pop("pretrained", None)
    with quiet():
        try:
            with torch.device("meta"):
                model = MODELS.build(copy.deepcopy(cfg))
        except (RuntimeError, NotImplementedError):  # it computes with its weights, as Swin does
            model = MODELS.build(cfg)
        model.train()
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def check_backbone(cfg: Any, source: str, frozen_stages: Sequence[int] = FROZEN_STAGES) -> None:
    """Check that a detector's backbone freezes as the study means it.

    ``frozen_stages`` must freeze more with each number, and everything at 4. (In some backbones the
    name counts otherwise: MMDetection's Darknet counts its stem as 1, EfficientNet has 7 stages.)

    Args:
        cfg: The detector's config.
        source: What to call it in messages.
        frozen_stages: The scenarios that are asked for.

    Raises:
        UserError: If it has no backbone, or one that cannot be frozen so; names it.
    """
    backbone = (cfg.get("model") or {}).get("backbone")
    if not backbone:
        raise UserError(f"{source}: has no model.backbone; give the config of a detector")
    with quiet():
        from mmdet.registry import MODELS
        from mmdet.utils import register_all_modules

        register_all_modules(init_default_scope=True)
    name = f"{source}: {cfg.model.get('type', 'its detector')} has the backbone {backbone.type}"
    kind = MODELS.get(backbone.type)
    if kind is None:
        raise UserError(f"{name}, which is not known; name its module in custom_imports")
    if not _takes_frozen_stages(kind):
        raise UserError(f"{name}, which has no frozen_stages; take a ResNet's detector")
    try:
        counts = [trainable_parameters(backbone, value) for value in FROZEN_STAGES]
    except Exception as error:  # a backbone's constructor can raise anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{name}, which cannot be built with frozen_stages: {reason}") from error
    if any(a <= b for a, b in zip(counts, counts[1:], strict=False)) or counts[-1] != 0:
        shown = ", ".join(f"{count:,}" for count in counts)
        raise UserError(
            f"{name}, whose frozen_stages means something else: trainable parameters at -1 to 4 "
            f"are {shown}; take a ResNet's detector"
        )


def _takes_frozen_stages(kind: type) -> bool:
    """Whether a class or, through ``**kwargs``, one of its parents has the argument."""
    for parent in kind.__mro__:
        if "__init__" not in vars(parent):
            continue
        parameters = inspect.signature(parent.__init__).parameters
        if "frozen_stages" in parameters:
            return True
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
            return False
    return False
