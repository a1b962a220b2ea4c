"""What ``provenance.json`` says of a run and of each of its starts."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from fzmm.datasets.annotation_file import AnnotationFile
from fzmm.datasets.dataset_config import annotation_path, image_folder, innermost_dataset
from fzmm.errors import UserError
from fzmm.provenance import SCHEMA, starting_detector
from fzmm.utils.files import file_sha256
from fzmm.version import __version__

# Enough to notice another set of images, few enough to read at each start.
_SAMPLED_IMAGES = 32
# What may differ between two starts of one run.
_VOLATILE = ("work_dir", "load_from", "resume", "launcher", "log_level", "gpu_ids")


def describe_run(cfg: Any, earlier: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the part of the record that is the same in every start of the run.

    Args:
        cfg: The run's config.
        earlier: An earlier record; counts are taken from it for files whose checksum is the same.
    """
    backbone = cfg.get("model", {}).get("backbone", {})
    earlier = earlier or {}
    train_cfg = cfg.get("train_cfg") or {}
    return {
        "schema": SCHEMA,
        "config": relative(cfg.filename),
        "config_sha256": config_sha256(cfg),
        "frozen_stages": backbone.get("frozen_stages"),
        "seed": cfg.get("randomness", {}).get("seed"),
        "study": dict(cfg["study"]) if "study" in cfg else None,
        "train": describe_data(cfg.get("train_dataloader"), earlier.get("train")),
        "val": describe_data(cfg.get("val_dataloader"), earlier.get("val")),
        "recipe": training_recipe(cfg),
        "max_iters": train_cfg.get("max_iters") if isinstance(train_cfg, Mapping) else None,
        "initialisation": starting_detector(cfg.get("study"))
        or (backbone.get("init_cfg") or {}).get("checkpoint")
        or "scratch",
    }


def describe_session(
    cfg: Any, iteration: int, world_size: int, other_devices: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the record of one start.

    Args:
        cfg: The run's config.
        iteration: Finished iterations that this start continues from.
        world_size: Processes that train together.
        other_devices: Those of the other processes; kinds that this one has not are added to its
            own, so that a run over unlike machines does not pass for one over like ones.
    """
    own = devices()
    commit, dirty = git_state(Path(cfg.filename).parent if cfg.filename else Path())
    return {
        "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "from_iteration": iteration,
        "command": shlex.join([relative(sys.argv[0]), *sys.argv[1:]]),
        "versions": versions(),
        "devices": [*own, *sorted(set(other_devices) - set(own))],
        "world_size": world_size,
        "hostname": platform.node(),
        "git_commit": commit,
        "git_dirty": dirty,
    }


def training_recipe(cfg: Any) -> dict[str, Any]:
    """Return what a checkpoint brings along when a run is resumed, whatever the config says then.

    How the update is computed is left out: a run may go on in another precision.
    """
    wrapper = cfg.get("optim_wrapper")
    wrapper = wrapper if isinstance(wrapper, Mapping) else {}
    loader = cfg.get("train_dataloader")
    optimizer = {
        key: value
        for key, value in (wrapper.get("optimizer") or {}).items()
        if key not in ("fused", "foreach")
    }

    recipe = {
        "optim_wrapper.optimizer": optimizer,
        "optim_wrapper.clip_grad": wrapper.get("clip_grad"),
        "optim_wrapper.accumulative_counts": wrapper.get("accumulative_counts", 1),
        "optim_wrapper.paramwise_cfg": wrapper.get("paramwise_cfg"),
        "param_scheduler": cfg.get("param_scheduler"),
        "train_dataloader.batch_size": loader.get("batch_size") if loader else None,
        "auto_scale_lr.enable": bool((cfg.get("auto_scale_lr") or {}).get("enable")),
    }

    freeze = (cfg.get("default_hooks") or {}).get("freeze_modules")
    if freeze:
        recipe["default_hooks.freeze_modules"] = freeze
    return json.loads(json.dumps(recipe, default=_name_of))


def _name_of(value: Any) -> str:
    return getattr(value, "__name__", type(value).__name__)


def config_sha256(cfg: Any) -> str:
    """Return the checksum of the resolved config, without what may differ between two starts."""
    content = cfg.to_dict() if hasattr(cfg, "to_dict") else dict(cfg)
    kept = {key: value for key, value in content.items() if key not in _VOLATILE}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=repr).encode()).hexdigest()


def relative(path: str | None) -> str | None:
    """Return ``path`` relative to the current directory where it lies within."""
    if not path:
        return path
    from_here = os.path.relpath(path)
    return os.path.abspath(path) if from_here.startswith("..") else from_here


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on."""
    import mmcv
    import mmdet
    import mmengine
    import torch

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "mmengine": mmengine.__version__,
        "mmcv": mmcv.__version__,
        "mmdet": mmdet.__version__,
        "numpy": metadata.version("numpy"),
        "fzmm": __version__,
    }


def devices(threads: int | None = None) -> list[str]:
    """Return the names of this process's GPUs, or of its processor.

    Args:
        threads: Of a process that computes on the processor; by default this one's.
    """
    import torch

    if torch.cuda.is_available():
        return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    name = platform.processor() or platform.machine()
    try:
        model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        name = model.group(1) if model else name
    except OSError:
        pass
    threads = threads or torch.get_num_threads()
    return [f"{name}, {threads} thread{'s' if threads > 1 else ''}"]


def git_state(folder: Path) -> tuple[str | None, bool | None]:
    """Return the commit of ``folder`` and whether tracked files differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "-uno"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def describe_data(loader: Any, earlier: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """Return the record's entry of a dataset: its file, counts and checksums.

    Args:
        loader: The config of its data loader.
        earlier: An earlier entry; counts are taken from it if the file is the same.
    """
    if not loader:
        return None
    try:
        dataset = innermost_dataset(loader)
        path, folder = annotation_path(dataset), image_folder(dataset)
    except UserError:
        return None

    entry: dict[str, Any] = {"ann_file": path}
    try:
        entry["sha256"] = file_sha256(path)
    except (OSError, UserError):
        return entry

    if earlier and earlier.get("sha256") == entry["sha256"] and "images" in earlier:
        names = list(earlier.get("image_sample") or [])
        return {**earlier, **entry, "image_sample": _hash_images(folder, names)}

    try:
        content = AnnotationFile(path).coco
    except UserError:
        return entry

    counts = {key: len(content[key]) for key in ("images", "annotations", "categories")}
    names = [str(image.get("file_name")) for image in content["images"]]
    step = max(1, len(names) // _SAMPLED_IMAGES)
    sample = _hash_images(folder, names[::step][:_SAMPLED_IMAGES])
    return {**entry, **counts, "image_sample": sample}


def _hash_images(folder: str, names: Sequence[str]) -> dict[str, str]:
    """Return the beginning of each image's SHA-256; one that cannot be read is left out."""
    checksums = {}
    for name in names:
        with contextlib.suppress(OSError, UserError, ValueError):
            checksums[name] = file_sha256(os.path.join(folder, name))[:16]
    return checksums
