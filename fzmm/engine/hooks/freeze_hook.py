"""Freeze modules by name, for the whole training or for a share of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from torch import nn

from fzmm.detector_config.modules_by_name import is_within, parameters_within
from fzmm.engine.arguments import check_number
from fzmm.errors import UserError


@HOOKS.register_module()
class FreezeHook(Hook):
    """Freeze modules by name, and release them later where that is asked.

    It freezes after the optimizer was built. MMEngine's constructor skips what is frozen by then,
    so a module frozen earlier could never be released; here each parameter is in its group, whose
    rate follows the schedule all along, and takes up its momentum from zero when it is released.
    Frozen modules stay in evaluation mode, so that the statistics of their norms do not move.

    Args:
        patterns: Names of modules or parameters, with ``*`` and ``?`` as in file names; all that is
            within a module goes with it: ``["neck", "rpn_head"]``, ``["backbone.layer?"]``.
        until: Share of the schedule after which they are released; None keeps them frozen.
    """

    priority = "VERY_HIGH"  # before the hooks that count trainable parameters

    def __init__(self, patterns: Sequence[str], until: float | None = None) -> None:
        if isinstance(patterns, str) or not patterns or not all(map(_is_text, patterns)):
            raise UserError(f"FreezeHook: patterns is {patterns!r}; give a list of module names")
        if until is not None:
            check_number(self, "until", until, above=0, below=1)
        self.patterns = list(patterns)
        self.until = until
        self._parameters: list[nn.Parameter] = []
        self._modules: list[nn.Module] = []

    def before_train(self, runner: Any) -> None:
        """Freeze, unless a resumed run is past the release.

        Raises:
            UserError: If a pattern matches nothing, or nothing is left to train.
        """
        model = _model_of(runner)
        parameters = parameters_within(model, self.patterns, "FreezeHook")
        self._end = None if self.until is None else round(self.until * runner.max_iters)
        if self._end is not None and runner.iter >= self._end:
            runner.logger.info(f"{self._name} were released after iteration {self._end}")
            return

        self._parameters = parameters
        self._modules = list(_largest_modules(model, self.patterns))
        for parameter in self._parameters:
            parameter.requires_grad = False
        end = "" if self._end is None else f" until iteration {self._end} of {runner.max_iters}"
        numbers = sum(p.numel() for p in self._parameters)
        runner.logger.info(f"{self._name} are frozen{end}: {numbers:,} parameters")

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Keep the frozen modules in evaluation mode, or release them."""
        if self._end is not None and self._parameters and runner.iter >= self._end:
            self._release(runner)
        for module in self._modules:
            module.eval()

    def _release(self, runner: Any) -> None:
        for parameter in self._parameters:
            parameter.requires_grad = True
        self._parameters, self._modules = [], []
        _model_of(runner).train()  # a detector's own train() keeps what is to stay in evaluation
        runner.logger.info(f"{self._name} are released after iteration {runner.iter}")

    @property
    def releasing(self) -> list[nn.Parameter]:
        """What is frozen now and will be released."""
        return [] if self.until is None else self._parameters

    @property
    def _name(self) -> str:
        return ", ".join(self.patterns)


@contextlib.contextmanager
def as_released(hooks: Sequence[Hook]) -> Iterator[None]:
    """Let what some of a runner's hooks release later be trainable, so that it counts as that."""
    freezing = [hook for hook in hooks if isinstance(hook, FreezeHook)]
    releasing = [parameter for hook in freezing for parameter in hook.releasing]
    for parameter in releasing:
        parameter.requires_grad = True
    yield
    for parameter in releasing:
        parameter.requires_grad = False


def _largest_modules(module: nn.Module, patterns: Sequence[str], prefix: str = "") -> Iterator:
    for name, child in module.named_children():
        if is_within(prefix + name, patterns):
            yield child
        else:
            yield from _largest_modules(child, patterns, f"{prefix}{name}.")


def _model_of(runner: Any) -> nn.Module:
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
