"""What each number of ``frozen_stages`` freezes in a backbone, measured by building it.

Backbones count differently: a ResNet's 0 freezes its stem and -1 nothing, others say 0 for nothing,
some freeze the stem with the first stage, and their stages are five, eight or nine. So a study asks
the backbone itself.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fzmm.detector_config.step_time import quiet
from fzmm.errors import UserError

# Far above the stages of any backbone; one that takes every number ends here.
_MOST_STAGES = 32


@dataclass(frozen=True)
class Scenario:
    """What a number of ``frozen_stages`` means in one backbone.

    Attributes:
        frozen_stages: The backbone's own number.
        trainable_stages: Stages that are left to train, 0 where everything is frozen.
        frozen_modules: Names of the backbone's modules that are frozen, see ``frozen_modules``.
        trainable_parameters: How many numbers of the backbone are trained.
        freezes_more: Whether it freezes more than the first, be it norms or biases alone.
    """

    frozen_stages: int
    trainable_stages: int
    frozen_modules: tuple[str, ...]
    trainable_parameters: int
    freezes_more: bool

    @property
    def name(self) -> str:
        """The scenario's name in config files: ``unfrozen``, ``frozen0``, ``frozen1`` ..."""
        freezes = self.freezes_more or self.frozen_modules
        return f"frozen{self.frozen_stages}" if freezes else "unfrozen"


def scenarios_of(model: dict[str, Any], source: str) -> dict[int, Scenario]:
    """Return the scenarios of a detector by ``frozen_stages``, the least frozen first.

    Numbers that freeze no more than the one before, such as a 0 that freezes nothing where -1
    does, are left out.

    Args:
        model: The detector's config; modules that it needs are registered.
        source: What to call it in messages.

    Raises:
        UserError: If it has no backbone, or one that cannot be frozen by stages; names it.
    """
    backbone = model.get("backbone")
    if not backbone:
        raise UserError(f"{source}: has no model.backbone; give the config of a detector")
    name = f"{source}: {model.get('type', 'its detector')} has the backbone {backbone['type']}"
    _require_frozen_stages(backbone, name)

    steps = _measure(backbone, name)
    if len(steps) < 2:
        raise UserError(f"{name}, in which frozen_stages freezes nothing; take another detector")
    rest = 1 if steps[-1][2] else 0  # a last part that no number freezes counts as a stage, too
    return {
        number: Scenario(number, len(steps) - 1 - place + rest, frozen, trainable, place > 0)
        for place, (number, frozen, trainable) in enumerate(steps)
    }


def stages_of_modules(backbone: dict[str, Any], scenarios: dict[int, Scenario]) -> dict[str, int]:
    """Return the number of the stage of each of a backbone's modules, 0 at the input.

    Modules that no number freezes by their weights go with the one before them, as a stem's norm
    does; those after the last stage that can be frozen are a stage of their own.

    Args:
        backbone: The backbone's config.
        scenarios: Those of :func:`scenarios_of`.
    """
    steps = list(scenarios.values())[1:]
    frozen_by: dict[str, int] = {}
    for stage, scenario in enumerate(steps):
        for name in scenario.frozen_modules:
            inside = any(name.startswith(f"{other}.") for other in frozen_by)
            frozen_by.update({} if inside else {name: frozen_by.get(name, stage)})

    stages, before = dict(frozen_by), 0
    for name, child in build_backbone(backbone).named_children():
        inside = [stage for other, stage in frozen_by.items() if f"{other}.".startswith(f"{name}.")]
        weights = any(p.ndim > 1 for p in child.parameters())
        if inside:
            before = max(inside)
        elif weights:
            before = len(steps)
        if name not in stages and any(True for _ in child.parameters()):
            stages[name] = before
    return stages


def build_backbone(backbone: dict[str, Any], on_meta: bool = True, **changes: Any) -> Any:
    """Build a backbone with random weights.

    Args:
        backbone: Its config.
        on_meta: Without memory for the weights, where that can be.
        **changes: Arguments that replace the config's.
    """
    return build_module({**backbone, **changes}, on_meta)


def build_module(config: dict[str, Any], on_meta: bool = True) -> Any:
    """Build a module, such as a whole detector, with random weights.

    Args:
        config: Its config; where its own weights would come from is left out.
        on_meta: Without memory for the weights, where that can be.
    """
    import torch
    from mmdet.registry import MODELS
    from mmengine.config import ConfigDict

    cfg = ConfigDict({**config, "init_cfg": None})  # detectors take its keys as attributes
    cfg.pop("pretrained", None)
    with quiet():
        if on_meta:
            # a backbone that computes with its weights, as Swin does, cannot
            with contextlib.suppress(RuntimeError, NotImplementedError), torch.device("meta"):
                return MODELS.build(copy.deepcopy(cfg))
        return MODELS.build(copy.deepcopy(cfg))


def frozen_modules(module: Any, prefix: str = "") -> Iterator[str]:
    """Yield the names of the largest modules all of whose weights are frozen.

    Norms and biases do not count: a config can freeze them by themselves.

    Args:
        module: A model or a part of it.
        prefix: What its parts' names begin with.
    """
    for name, child in module.named_children():
        trained = {p.requires_grad for p in child.parameters() if p.ndim > 1}
        if trained == {False}:
            yield prefix + name
        elif len(trained) == 2:
            yield from frozen_modules(child, f"{prefix}{name}.")


def register_modules() -> None:
    """Register MMDetection's modules and fzmm's, so that backbones can be built."""
    with quiet():
        from mmdet.utils import register_all_modules

        import fzmm.register  # noqa: F401

        register_all_modules(init_default_scope=True)


def _require_frozen_stages(backbone: dict[str, Any], name: str) -> None:
    register_modules()
    from mmdet.registry import MODELS

    kind = MODELS.get(backbone["type"])
    if kind is None:
        raise UserError(f"{name}, which is not known; name its module in custom_imports")
    if not _takes_frozen_stages(kind):
        raise UserError(f"{name}, which has no frozen_stages; take another detector")


def _measure(backbone: dict[str, Any], name: str) -> list[tuple[int, tuple[str, ...], int]]:
    """Return (number, names of frozen modules, trainable parameters) of each scenario."""
    steps: list[tuple[int, tuple[str, ...], int]] = []
    for number in range(-1, _MOST_STAGES):
        try:
            frozen, trainable = _freeze(backbone, number)
        except Exception as error:  # a constructor can raise anything
            if steps:
                break  # it knows no such number
            if number < 0:
                continue  # its numbers may begin with 0
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UserError(
                f"{name}, which cannot be built with frozen_stages: {reason}"
            ) from error
        if not steps or trainable < steps[-1][2]:
            steps.append((number, frozen, trainable))
        if not trainable:
            break

    return steps


def _freeze(backbone: dict[str, Any], number: int) -> tuple[tuple[str, ...], int]:
    """Return the names of the modules that a number freezes, and how much it leaves trainable."""
    module = build_backbone(backbone, frozen_stages=number)
    module.train()  # a ResNet's freezes anew and returns nothing
    return tuple(frozen_modules(module)), sum(
        p.numel() for p in module.parameters() if p.requires_grad
    )


def _takes_frozen_stages(kind: type) -> bool:
    """Whether a class or, through ``**kwargs``, one of its parents has the argument."""
    for parent in kind.__mro__:
        if "__init__" not in vars(parent):
            continue
        parameters = inspect.signature(parent.__init__).parameters
        if "frozen_stages" in parameters:
            return True
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
            return False
    return False
