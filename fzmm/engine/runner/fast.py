"""The fast recipe: the same training, quicker. What it consists of, and how it is switched on.

``python tools/train.py CONFIG --fast`` calls ``apply_fast`` on the loaded config. A config that
is to be fast by itself, also under ``mim train``, says so in one line::

    runner_type = "FastRunner"

Each part has its measured line in ``benchmarks/README.md``.
"""

from __future__ import annotations

import copy

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

# Same parameters, same numbers (to rounding), fewer operations; tests/models compares them.
FAST_MODULES = {
    "ResNet": "FrozenAwareResNet",
    "RPNHead": "SampledRPNHead",
    "SingleRoIExtractor": "GatherRoIExtractor",
    "Shared2FCBBoxHead": "OneDNNShared2FCBBoxHead",
}

# Where all operators between backbone and RoI heads heed strides.
CHANNELS_LAST_DETECTORS = ("FasterRCNN",)
CHANNELS_LAST_NECKS = ("FPN",)

FUSED_OPTIMIZERS = ("SGD", "Adam", "AdamW")


def use_fast_modules(model: dict) -> dict:
    """Return a copy of a model's config with fzmm's modules in place of MMDetection's.

    Single precision stays single precision, and checkpoints fit both. What fzmm has no counterpart
    for is left as it is.

    Args:
        model: The ``model`` of a config.
    """
    model = _with_types(model, FAST_MODULES)
    if _is_channels_last(model):
        model["backbone"]["channels_last_outputs"] = True
    return model


def _is_channels_last(model: dict) -> bool:
    """Whether nothing after the backbone would misread channels-last feature maps."""
    extractor = model.get("roi_head", {}).get("bbox_roi_extractor", {})
    return (
        _name(model) in CHANNELS_LAST_DETECTORS
        and _name(model["backbone"]) == "FrozenAwareResNet"
        and _name(model.get("neck") or {}) in CHANNELS_LAST_NECKS
        and _name(extractor) == "GatherRoIExtractor"
    )


def use_stock_modules(model: dict) -> dict:
    """Return a copy of a model's config with MMDetection's modules in place of fzmm's.

    Args:
        model: The ``model`` of a config.
    """
    model = _with_types(model, {fast: stock for stock, fast in FAST_MODULES.items()})
    if "backbone" in model:
        model["backbone"].pop("channels_last_outputs", None)
    return model


def _with_types(node, types: dict[str, str]):
    node = copy.deepcopy(node)
    pending = [node]
    while pending:
        child = pending.pop()
        if isinstance(child, dict):
            if _name(child) in types:
                child["type"] = types[_name(child)]
            pending += child.values()
        elif isinstance(child, (list, tuple)):
            pending += child
    return node


def apply_fast(cfg: Config) -> Config:
    """Switch the fast recipe on in a config, in place; doing it twice changes nothing.

    - fzmm's modules for the frozen backbone, the RPN, RoIAlign and the box head
      (``use_fast_modules``), and channels-last activations with them.
    - Mixed precision in the type the device computes in: ``AutoAmpOptimWrapper``.
    - The optimizer's update in one pass over the parameters (``fused``).
    - On a CUDA machine, page-locked batches that are copied while the GPU computes.

    Args:
        cfg: A training config of MMDetection.

    Returns:
        Config: ``cfg``.
    """
    cfg.setdefault("custom_imports", dict(imports=[], allow_failed_imports=False))
    if "fzmm.register" not in cfg.custom_imports["imports"]:
        imports = [*cfg.custom_imports["imports"], "fzmm.register"]
        cfg.custom_imports["imports"] = imports
    cfg.model = use_fast_modules(cfg.model)

    wrapper = cfg.get("optim_wrapper") or {"type": "AutoAmpOptimWrapper"}  # none: no training
    kind = _name(wrapper) or "OptimWrapper"
    if kind in ("OptimWrapper", "AmpOptimWrapper") and not wrapper.get("use_fsdp"):
        wrapper["type"] = "AutoAmpOptimWrapper"
        wrapper.pop("use_fsdp", None)
    elif kind != "AutoAmpOptimWrapper":
        print_log(f"Left {kind} as it is: no mixed precision of fzmm's", logger="current")
    optimizer = wrapper.get("optimizer")
    if optimizer and _name(optimizer) in FUSED_OPTIMIZERS and "foreach" not in optimizer:
        optimizer.setdefault("fused", True)

    if torch.cuda.is_available():
        for loader in ("train_dataloader", "val_dataloader", "test_dataloader"):
            if cfg.get(loader):
                cfg[loader].setdefault("pin_memory", True)
        preprocessor = cfg.model.get("data_preprocessor") or {}
        if _name(preprocessor) == "DetDataPreprocessor":
            preprocessor.setdefault("non_blocking", True)
    return cfg


@RUNNERS.register_module()
class FastRunner(Runner):
    """MMEngine's ``Runner`` with the fast recipe: ``runner_type = "FastRunner"`` in a config."""

    @classmethod
    def from_cfg(cls, cfg: Config) -> FastRunner:
        """Build the runner from a config, to which the fast recipe is applied first."""
        return super().from_cfg(apply_fast(copy.deepcopy(cfg)))


def _name(node: dict) -> str:
    kind = node.get("type", "")
    return kind if isinstance(kind, str) else getattr(kind, "__name__", "")
