"""What a run was trained with, set against what is asked of it now.

The training's own dump of its config tells, also where the sweep's record is lost. Parsed, never
run: a work directory may come from anybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fzmm.analysis.reading.config_dump import UNKNOWN, read_config
from fzmm.errors import UserError
from fzmm.models.faster_modules import use_stock_modules

# How fast it goes, not what is learned.
_SPEED = {
    *("num_workers", "persistent_workers", "pin_memory", "prefetch_factor", "fused", "foreach"),
    *("non_blocking", "backend_args", "_scope_"),
}
_SECTIONS = ("model", "train_dataloader", "param_scheduler")


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a training's config that decides what is learned.

    Args:
        config: A run's config, or the dump of one.
    """
    settings = {name: config[name] for name in _SECTIONS if config.get(name)}
    if "model" in settings:
        settings["model"] = use_stock_modules(settings["model"])
    if isinstance(config.get("study"), Mapping):
        settings["study"] = {"load_from_sha256": config["study"].get("load_from_sha256")}
    length = (config.get("train_cfg") or {}).get("max_iters")
    if length is not None:
        settings["train_cfg"] = {"max_iters": length}
    wrapper = config.get("optim_wrapper") or {}
    if "optimizer" in wrapper:
        # mixed precision changes the wrapper's type, and nothing that a schedule is made of
        kept = ("optimizer", "clip_grad", "accumulative_counts", "paramwise_cfg")
        settings["optim_wrapper"] = {key: wrapper[key] for key in kept if key in wrapper}
    return settings


def trained_settings(work_dir: Path) -> dict[str, Any]:
    """Return the settings of a run's newest start; empty where it has left no readable dump."""
    dumps = sorted(work_dir.glob("*/vis_data/config.py"), reverse=True)
    for dump in dumps:
        try:
            return settings_of(read_config(dump))
        except (UserError, AttributeError, TypeError):  # no config, whatever else it is
            continue
    return {}


def differences(asked: Mapping[str, Any], trained: Mapping[str, Any]) -> list[str]:
    """Return what is asked otherwise than it was trained, such as ``train_cfg.max_iters: 30, ...``.

    Only sections that both have are compared.

    Args:
        asked: ``settings_of`` the config now.
        trained: ``trained_settings`` of the run.
    """
    return [
        f"{place} {old!r}, not {new!r}"
        for section in sorted(asked.keys() & trained.keys())
        for place, new, old in _differences(section, asked[section], trained[section])
    ]


def _differences(place: str, new: Any, old: Any) -> Iterator[tuple[str, Any, Any]]:
    if UNKNOWN in (new, old):
        return
    if isinstance(new, Mapping) and isinstance(old, Mapping):
        for key in sorted(new.keys() | old.keys(), key=str):
            if key not in _SPEED:
                yield from _differences(f"{place}.{key}", new.get(key), old.get(key))
    elif _is_list(new) and _is_list(old) and len(new) == len(old):
        for index, (left, right) in enumerate(zip(new, old, strict=True)):
            yield from _differences(f"{place}.{index}", left, right)
    elif new != old and not _is_class(new):
        yield place, new, old


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_class(value: Any) -> bool:
    """Whether a config names a class itself, which its dump writes in words of its own."""
    return isinstance(value, type)
