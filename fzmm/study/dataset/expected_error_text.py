"""The words for what the validation images can tell: the same in the terminal and on the page."""

from __future__ import annotations

from fzmm.datasets.sampling_error import FEW_BOXES
from fzmm.study.dataset.expected_error import ExpectedError

_SHOWN = 4  # classes


def error_texts(error: ExpectedError) -> list[str]:
    """Return a sentence on classes with few boxes, if there are any, and one on mAP."""
    texts = [_few(error)] if error.few else []
    return [*texts, _map(error)]


def _few(error: ExpectedError) -> str:
    shown = ", ".join(f"{name} ({number})" for name, number in error.few[:_SHOWN])
    more = len(error.few) - _SHOWN
    number = len(error.few)
    verb = "class has" if number == 1 else "classes have"
    return (
        f"{number} of {error.classes} {verb} fewer than {FEW_BOXES} boxes in validation, too few "
        f"for an AP of their own to say much: {shown}" + (f" and {more} more" if more > 0 else "")
    )


def _map(error: ExpectedError) -> str:
    low, high = (f"{100 * value:.1f}" for value in (error.low, error.high))
    width = low if low == high else f"{low} to {high}"
    return (
        f"other {error.images:,} images of the kind would move mAP by some {width} points (one "
        "standard error), differences between scenarios, which share the images, by less"
    )
