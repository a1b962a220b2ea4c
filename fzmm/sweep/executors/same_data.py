"""Whether a node has the same config and data as the machine that the sweep was called on."""

from __future__ import annotations

import functools
import socket
from pathlib import Path
from typing import Any

from fzmm.engine.runner.describe_run import config_sha256, describe_data
from fzmm.errors import UserError
from fzmm.utils.config_file import read_config_file


@functools.cache
def data_identity(config: Path) -> dict[str, Any]:
    """Return the checksums of a run's config, annotation files and a sample of its images.

    Raises:
        UserError: If the config cannot be read.
    """
    cfg = read_config_file(config)
    return {"config": config_sha256(cfg), **_data(cfg, {})}


def check_same_data(config: Path, asked: dict[str, Any]) -> None:
    """Refuse to train on other data, or by another config.

    Args:
        config: The config, as it lies on this node.
        asked: ``data_identity`` where the sweep was called.

    Raises:
        UserError: If anything differs, or is missing here.
    """
    cfg = read_config_file(config, name=f"{socket.gethostname()}: {config}")
    if config_sha256(cfg) != asked["config"]:
        raise UserError(f"{socket.gethostname()}: {config} is not that of the sweep; copy it there")
    for part, here in _data(cfg, asked).items():
        there = asked[part]
        if here != there:
            file = (there or here or {}).get("ann_file")
            same_file = here and there and here.get("sha256") == there.get("sha256")
            what = "its images differ" if same_file else "it differs, or is not there"
            raise UserError(f"{socket.gethostname()}: {file}: {what}; copy the sweep's data there")


def _data(cfg: Any, earlier: dict[str, Any]) -> dict[str, Any]:
    loaders = {part: cfg.get(f"{part}_dataloader") or {} for part in ("train", "val")}
    return {
        part: describe_data(loader, earlier.get(part)) if "dataset" in loader else None
        for part, loader in loaders.items()
    }
