"""Distributed training on machines without a GPU.

MMEngine's launchers set a CUDA device before they make the process group. Where there is none, the
group is made here, with gloo, before MMEngine looks; it leaves a group that exists alone.
"""

from __future__ import annotations

import os
import subprocess

import torch
from mmengine.config import Config


def prepare_cpu(cfg: Config) -> None:
    """Make ``cfg`` and, for a launcher, the process group fit a machine without a GPU.

    Does nothing where CUDA is available.

    Args:
        cfg: The run's config; ``cfg.launcher`` is ``"none"``, ``"pytorch"`` or ``"slurm"``.
    """
    if torch.cuda.is_available() or cfg.get("launcher", "none") == "none":
        return
    cfg.env_cfg.dist_cfg = dict(backend="gloo")
    # DistributedDataParallel takes no device ids on a CPU, and MMEngine would give it one. The rest
    # is what MMEngine sets.
    cfg.model_wrapper_cfg = dict(
        type="MMDistributedDataParallel",
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=cfg.get("find_unused_parameters", False),
    )

    if cfg.launcher == "slurm":
        _export_slurm_ranks()
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo")


def _export_slurm_ranks() -> None:
    """Set the variables of torch's rendezvous from those of a Slurm task."""
    environment = os.environ
    if "MASTER_ADDR" not in environment:
        hosts = subprocess.run(
            ["scontrol", "show", "hostname", environment["SLURM_NODELIST"]],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        environment["MASTER_ADDR"] = hosts[0]
    environment.setdefault("MASTER_PORT", "29500")
    environment["RANK"] = environment["SLURM_PROCID"]
    environment["WORLD_SIZE"] = environment["SLURM_NTASKS"]
    environment["LOCAL_RANK"] = environment.get("SLURM_LOCALID", "0")
