"""Faster modules by one line of a config, and the fast recipe, which computes in less precision.

Every config of this project says ``runner_type = "FasterModulesRunner"``: the model is written
with MMDetection's modules and built with fzmm's where those were measured to be faster. The fast
recipe goes further. ``python tools/train.py CONFIG --fast`` calls ``apply_fast`` on the loaded
config; a config that is to be fast by itself, also under ``mim train``, says so in one line::

    runner_type = "FastRunner"

Each part has its measured line in ``benchmarks/README.md``.
"""

from __future__ import annotations

import copy
import logging

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch import nn

from fzmm.models.faster_modules import replaced_modules, type_name, use_faster_modules

FUSED_OPTIMIZERS = ("SGD", "Adam", "AdamW")


@RUNNERS.register_module()
class FasterModulesRunner(Runner):
    """MMEngine's ``Runner`` that builds the model with fzmm's modules where they are faster.

    ``runner_type = "FasterModulesRunner"`` in a config; MMDetection's own tools and ``mim`` heed
    it, too. The config itself, and its dump in the work directory, keep MMDetection's modules, so
    that a run started on one device goes on or is tested on another. Without the line, stock
    modules are built; checkpoints are the same.
    """

    def build_model(self, model: nn.Module | dict) -> nn.Module:
        """Build the model of a config, with the modules that are faster on this device.

        Args:
            model: A model, which is left as it is, or its config.
        """
        if isinstance(model, nn.Module):
            return super().build_model(model)
        faster = use_faster_modules(model, get_device())
        for stock, ours in replaced_modules(model, faster).items():
            self.logger.info(f"{ours} stands in for {stock}: faster here, the same numbers")
        return super().build_model(faster)


def apply_fast(cfg: Config) -> Config:
    """Switch the fast recipe on in a config, in place; doing it twice changes nothing.

    - All of fzmm's modules, whatever the device (``use_faster_modules``), and channels-last
      activations with them. They were made for CPUs, which a warning says elsewhere.
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

    cfg.model = use_faster_modules(cfg.model)
    if get_device() != "cpu":
        print_log(
            f"--fast is made for CPUs: on {get_device()} it may be slower than stock modules, see "
            "benchmarks/README.md; python benchmarks/train_step.py tells for this machine",
            logger="current",
            level=logging.WARNING,
        )

    wrapper = cfg.get("optim_wrapper") or {"type": "AutoAmpOptimWrapper"}  # none: no training
    kind = type_name(wrapper) or "OptimWrapper"
    if kind in ("OptimWrapper", "AmpOptimWrapper") and not wrapper.get("use_fsdp"):
        wrapper["type"] = "AutoAmpOptimWrapper"
        wrapper.pop("use_fsdp", None)
    elif kind != "AutoAmpOptimWrapper":
        print_log(f"Left {kind} as it is: no mixed precision of fzmm's", logger="current")

    optimizer = wrapper.get("optimizer")
    if optimizer and type_name(optimizer) in FUSED_OPTIMIZERS and "foreach" not in optimizer:
        optimizer.setdefault("fused", True)

    if torch.cuda.is_available():
        for loader in ("train_dataloader", "val_dataloader", "test_dataloader"):
            if cfg.get(loader):
                cfg[loader].setdefault("pin_memory", True)
        preprocessor = cfg.model.get("data_preprocessor") or {}
        if type_name(preprocessor) == "DetDataPreprocessor":
            preprocessor.setdefault("non_blocking", True)

    return cfg


@RUNNERS.register_module()
class FastRunner(FasterModulesRunner):
    """A runner with the fast recipe: ``runner_type = "FastRunner"`` in a config."""

    @classmethod
    def from_cfg(cls, cfg: Config) -> FastRunner:
        """Build the runner from a config, to which the fast recipe is applied first."""
        return super().from_cfg(apply_fast(copy.deepcopy(cfg)))
