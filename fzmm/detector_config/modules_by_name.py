"""Modules of a detector that patterns name, with all that is within them."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from fzmm.errors import UserError


def parameters_within(model: Any, patterns: Sequence[str], who: str) -> list[Any]:
    """Return the trainable parameters in modules of some names.

    Args:
        model: A detector.
        patterns: Names, with ``*`` and ``?`` as in file names.
        who: Whom an error names.

    Raises:
        UserError: If a pattern matches nothing, or nothing else is left to train.
    """
    for pattern in patterns:
        if not any(is_within(name, [pattern]) for name, _ in model.named_parameters()):
            raise UserError(f"{who}: no parameter of {type(model).__name__} is in {pattern}")
    trainable = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    within = [p for name, p in trainable if is_within(name, patterns)]
    if len(within) == len(trainable):
        raise UserError(f"{who}: {', '.join(patterns)} leave nothing to train")
    return within


def is_within(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name, or that of a module around it, matches a pattern."""
    parts = name.split(".")
    around = [".".join(parts[: end + 1]) for end in range(len(parts))]
    return any(fnmatchcase(module, pattern) for module in around for pattern in patterns)
