"""From a config file to a config that is ready to train: options applied, inputs checked."""

from __future__ import annotations

import os
from pathlib import Path

from mmengine.config import Config

from fzmm.engine.runner.check_inputs import check_inputs
from fzmm.engine.runner.check_settings import check_settings
from fzmm.engine.runner.checkpoints import (
    find_resume_checkpoint,
    install_safe_loading,
)
from fzmm.engine.runner.distributed import prepare_cpu
from fzmm.errors import UserError
from fzmm.schedules import apply_budget, scale_schedule
from fzmm.utils.config_file import read_config_file

_MMENGINE_HOOKS = (
    "runtime_info",
    "timer",
    "sampler_seed",
    "logger",
    "param_scheduler",
    "checkpoint",
)


def load_config(
    path: str,
    work_dir: str | None = None,
    launcher: str = "none",
    cfg_options: dict | None = None,
) -> Config:
    """Read a config as MMDetection's tools do, and fit it to the machine.

    Args:
        path: The config file.
        work_dir: Where logs and checkpoints go; by default the config's own, else
            ``work_dirs/<config name>``.
        launcher: ``"none"``, ``"pytorch"``, ``"slurm"`` or ``"mpi"``.
        cfg_options: Settings that replace the config's, such as ``{"train_cfg.max_iters": 10}``.

    Raises:
        UserError: If the config cannot be read.
    """
    cfg = read_config_file(path)
    cfg.launcher = launcher
    if cfg_options:
        cfg.merge_from_dict(cfg_options)
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get("work_dir") is None:
        cfg.work_dir = os.path.join("work_dirs", Path(path).stem)
    prepare_cpu(cfg)
    return cfg


def prepare(
    cfg: Config,
    resume: str | None = None,
    trust_checkpoint: bool = False,
    scale: bool = False,
    budget: float | None = None,
) -> None:
    """Make ``cfg`` ready for MMEngine's runner; changes it in place.

    Args:
        cfg: The run's config, ``work_dir`` and ``launcher`` set. Hooks that are None in its
            ``default_hooks`` are left out.
        resume: ``"auto"`` for the newest readable checkpoint of the work directory (a run without
            one starts from the beginning), or the path of a checkpoint.
        trust_checkpoint: Allow full unpickling of checkpoints.
        scale: Fit the schedule to the total batch (``--scale-schedule``).
        budget: Share of the schedule to run, in (0, 1].

    Raises:
        UserError: If an option does not fit the config or an input is missing or wrong.
    """
    install_safe_loading(trust_checkpoint)

    for name, hook in list((cfg.get("default_hooks") or {}).items()):
        if hook is None and name not in _MMENGINE_HOOKS:  # which None switches off in MMEngine
            del cfg.default_hooks[name]
    if scale:
        _scale_to_batch(cfg)
    if budget is not None:
        apply_budget(cfg, budget)

    if resume is not None:
        newest = (
            find_resume_checkpoint(cfg.work_dir, trust_checkpoint) if resume == "auto" else resume
        )
        cfg.resume = newest is not None
        if newest is not None:  # else it starts from what the config says
            cfg.load_from = newest

    check_settings(cfg)
    check_inputs(cfg)


def _scale_to_batch(cfg: Config) -> None:
    base = (cfg.get("auto_scale_lr") or {}).get("base_batch_size")
    if not base:
        raise UserError(
            f"{cfg.filename}: --scale-schedule needs auto_scale_lr.base_batch_size, the total "
            "batch that the config's schedule is made for"
        )
    scale_schedule(cfg, total_batch_size(cfg) / base)


def total_batch_size(cfg: Config) -> int:
    """Return the images of one optimiser step over all processes of this training.

    The number of processes is the launcher's ``WORLD_SIZE``, or Slurm's ``SLURM_NTASKS``.
    """
    processes = 1
    if cfg.get("launcher", "none") != "none":
        tasks = os.environ.get("SLURM_NTASKS") or os.environ.get("OMPI_COMM_WORLD_SIZE") or "1"
        processes = int(os.environ.get("WORLD_SIZE", tasks))
    steps = cfg.optim_wrapper.get("accumulative_counts", 1)
    return cfg.train_dataloader.batch_size * processes * steps
