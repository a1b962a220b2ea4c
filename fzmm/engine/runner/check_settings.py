"""Checks of a config's hooks and optimiser, before anything is built."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mmdet.registry import HOOKS

from fzmm.engine.arguments import check_seed
from fzmm.errors import UserError

# MMEngine's own keys; it sets the scope in all that a base of another package holds.
_NOT_ARGUMENTS = ("type", "priority", "_scope_")


def check_settings(cfg: Any) -> None:
    """Check what a config says about fzmm's hooks and about the optimiser.

    Raises:
        UserError: If a hook does not take its arguments, or a rate or the seed is no possible
            number.
    """
    for place, hook in _hooks(cfg):
        _check_hook(f"{cfg.filename}: {place}", hook)
    _check_optimizer(cfg)
    check_seed((cfg.get("randomness") or {}).get("seed"), f"{cfg.filename}: randomness.seed")


def _hooks(cfg: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, hook in (cfg.get("default_hooks") or {}).items():
        if isinstance(hook, Mapping):
            yield f"default_hooks.{name}", hook
    for index, hook in enumerate(cfg.get("custom_hooks") or []):
        if isinstance(hook, Mapping):
            yield f"custom_hooks[{index}]", hook


def _check_hook(place: str, hook: Mapping[str, Any]) -> None:
    """Build a hook of ours, which none of them minds, to see whether it takes its arguments."""
    kind = hook.get("type")
    cls = HOOKS.get(kind) if isinstance(kind, str) else kind
    if cls is None:
        raise UserError(f"{place}: there is no hook {kind!r}; is its module in custom_imports?")
    if not getattr(cls, "__module__", "").startswith("fzmm."):
        return
    arguments = {key: value for key, value in hook.items() if key not in _NOT_ARGUMENTS}
    try:
        cls(**arguments)
    except Exception as error:  # MMEngine's hooks assert, and raise whatever comes of a wrong type
        raise UserError(f"{place}: {error or type(error).__name__}") from error


def _check_optimizer(cfg: Any) -> None:
    wrapper = cfg.get("optim_wrapper")
    optimizer = wrapper.get("optimizer") if isinstance(wrapper, Mapping) else None
    if not isinstance(optimizer, Mapping):
        return
    for name in ("lr", "momentum", "weight_decay"):
        value = optimizer.get(name, 0.0)
        possible = isinstance(value, (int, float)) and math.isfinite(value) and value >= 0
        if not possible or (name in optimizer and name == "lr" and value == 0):
            raise UserError(
                f"{cfg.filename}: optim_wrapper.optimizer.{name} is {value!r}; give a finite "
                "number that is not negative, for the rate one above 0"
            )
