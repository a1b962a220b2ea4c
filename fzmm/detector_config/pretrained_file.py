"""Whether a file of pretrained weights is one of a backbone, found by loading it.

MMEngine loads what has the same name and shape, and goes on without a word where nothing has.
"""

from __future__ import annotations

import os
from typing import Any

from fzmm.detector_config.freezing import build_backbone, register_modules
from fzmm.detector_config.step_time import quiet
from fzmm.errors import UserError

_PREFIXES = ("", "backbone.")  # of a backbone alone, and of one in a detector or classifier


def prefix_in(checkpoint: str, backbone: dict[str, Any]) -> str:
    """Return what the names of a backbone's weights begin with in a checkpoint.

    Args:
        checkpoint: What ``--pretrained`` names; only files are looked into.
        backbone: The backbone's config.

    Raises:
        UserError: If there is no such file, or its weights are not those of the backbone.
    """
    if "://" in checkpoint or checkpoint.lower() == "none":
        return ""
    option = f"--pretrained {checkpoint}"
    if not os.path.isfile(checkpoint):
        raise UserError(f"{option}: no such file")
    register_modules()
    missing = []
    for prefix in _PREFIXES:
        missing.append(_not_loaded(checkpoint, prefix, backbone, option))
        if not missing[-1]:
            return prefix
    names = min(missing, key=len)
    raise UserError(
        f"{option}: holds no weights for {len(names):,} of the tensors of a "
        f"{backbone['type']}, such as {names[0]}; it is of another backbone"
    )


def _not_loaded(checkpoint: str, prefix: str, backbone: dict[str, Any], option: str) -> list[str]:
    """Return the names of the weights that loading leaves as they were; norms do not count."""
    import torch

    module = build_backbone(backbone, on_meta=False)
    weights = {name: p for name, p in module.named_parameters() if p.ndim > 1}
    for parameter in weights.values():
        torch.nn.init.uniform_(parameter, 2, 3)  # as no trained weight is
    before = {name: parameter.detach().clone() for name, parameter in weights.items()}
    module.init_cfg = dict(type="Pretrained", checkpoint=checkpoint)
    if prefix:
        module.init_cfg["prefix"] = prefix
    try:
        with quiet():
            module.init_weights()
    except UserError:
        raise
    except AssertionError:  # MMEngine's: the checkpoint has no key with the prefix
        return list(weights)
    except Exception as error:  # a file can hold anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{option}: cannot be loaded: {reason}") from error
    after = dict(module.named_parameters())
    return [name for name, old in before.items() if torch.equal(old, after[name])]
