"""Values of the right type out of files that may come from anybody; None for all others."""

from __future__ import annotations

from typing import Any

import numpy as np


def text(value: Any) -> str | None:
    """Return a text that is not empty."""
    return value if isinstance(value, str) and value else None


def integer(value: Any) -> int | None:
    """Return a whole number that a float64 holds exactly."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and abs(value) < 2**53 else None


def fraction(value: Any) -> float | None:
    """Return a share above 0 and at most 1."""
    share = number(value)
    return share if share is not None and 0 < share <= 1 else None


def positive(value: Any) -> float | None:
    """Return a finite number above 0."""
    size = number(value)
    return size if size is not None and size > 0 else None


def count(value: Any) -> int | None:
    """Return a whole number that is not negative."""
    whole = integer(value)
    return whole if whole is not None and whole >= 0 else None


def number(value: Any) -> float | None:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if np.isfinite(float(value)) else None
    except OverflowError:
        return None
