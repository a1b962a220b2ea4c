"""Training a detector, from a config to the end of its run."""

from __future__ import annotations

import contextlib
import os

from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from fzmm.engine.runner.endings import ends_when_told, train_to_the_end
from fzmm.engine.runner.fast import apply_fast
from fzmm.engine.runner.prepare import prepare
from fzmm.errors import UserError
from fzmm.run_lock import training_in
from fzmm.utils.checkpoint_file import require_checkpoint


def train_detector(
    cfg: Config,
    amp: bool = False,
    auto_scale_lr: bool = False,
    resume: str | None = None,
    seed: int | None = None,
    scale_schedule: bool = False,
    budget: float | None = None,
    trust_checkpoint: bool = False,
    fast: bool = False,
) -> Runner:
    """Train.

    Args:
        cfg: From :func:`fzmm.engine.runner.prepare.load_config`.
        amp: Automatic mixed precision, as MMDetection's ``--amp``.
        auto_scale_lr: Scale the learning rate from ``cfg.auto_scale_lr.base_batch_size``.
        resume: ``"auto"`` for the latest checkpoint in the work directory, or a checkpoint.
        seed: Replaces the config's seed.
        scale_schedule: Keep the number of images seen when the total batch is not the config's.
        budget: Share of the schedule to run, in (0, 1].
        trust_checkpoint: Load checkpoints that hold more than data, which can run code.
        fast: The fast recipe, see ``fzmm.engine.runner.fast``.

    Raises:
        UserError: If an option does not fit the config, an input is missing or wrong, or another
            training holds the work directory.
    """
    if seed is not None:
        cfg.randomness = dict(cfg.get("randomness", {}), seed=seed)
    if fast and amp:
        raise UserError("--fast has mixed precision of its own: leave --amp out")
    if fast:
        apply_fast(cfg)
    if amp:
        cfg.optim_wrapper.type = "AmpOptimWrapper"
        cfg.optim_wrapper.loss_scale = "dynamic"

    if auto_scale_lr:
        _use_auto_scale_lr(cfg)

    if resume not in (None, "auto"):
        require_checkpoint(resume)  # before the work directory is made
    with ends_when_told(), _work_dir_of_one_training(cfg):
        prepare(cfg, resume, trust_checkpoint, scale_schedule, budget)
        runner = build_runner(cfg)
        train_to_the_end(runner)

    return runner


def build_runner(cfg: Config) -> Runner:
    """Return the runner that ``cfg`` asks for, MMEngine's own unless it names a type."""
    return RUNNERS.build(cfg) if "runner_type" in cfg else Runner.from_cfg(cfg)


def _use_auto_scale_lr(cfg: Config) -> None:
    if "base_batch_size" not in cfg.get("auto_scale_lr", {}):
        raise UserError(
            f"{cfg.filename}: --auto-scale-lr needs auto_scale_lr.base_batch_size in the config"
        )
    cfg.auto_scale_lr.enable = True


def _work_dir_of_one_training(cfg: Config) -> contextlib.AbstractContextManager:
    """Hold the work directory; one process of a distributed training does it for all."""
    ranks = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK")
    rank = next((os.environ[name] for name in ranks if name in os.environ), "0")
    if cfg.get("launcher", "none") != "none" and rank != "0":
        return contextlib.nullcontext()
    return training_in(cfg.work_dir)
