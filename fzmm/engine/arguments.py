"""Checks of the numbers that a config gives to a hook or scheduler."""

from __future__ import annotations

import math
from typing import Any

from fzmm.errors import UserError


def check_number(
    owner: object,
    name: str,
    value: Any,
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    whole: bool = False,
) -> None:
    """Refuse a value that the owner cannot work with.

    Args:
        owner: Whose argument it is; its class is named in the message.
        name: The argument's name.
        value: Its value.
        at_least: Smallest allowed number.
        above: Number below all allowed ones.
        below: Number above all allowed ones.
        whole: Whether it must be an integer.

    Raises:
        UserError: If it is not such a number.
    """
    is_number = type(value) is int or (type(value) is float and math.isfinite(value) and not whole)
    if (
        is_number
        and (at_least is None or value >= at_least)
        and (above is None or value > above)
        and (below is None or value < below)
    ):
        return
    limits = [("from", at_least), ("above", above), ("below", below)]
    wanted = " ".join(f"{word} {limit:g}" for word, limit in limits if limit is not None)
    kind = "a whole number" if whole else "a finite number"
    raise UserError(f"{type(owner).__name__}: {name} is {value!r}; give {kind} {wanted}".rstrip())


def check_seed(seed: int | None, place: str) -> None:
    """Refuse what is no seed of NumPy's.

    Args:
        seed: A seed, or None for one that is drawn.
        place: Where it was given.

    Raises:
        UserError: If it is none.
    """
    if seed is not None and not (type(seed) is int and 0 <= seed < 2**32):
        raise UserError(f"{place} is {seed!r}; give a whole number from 0, below 4294967296")
