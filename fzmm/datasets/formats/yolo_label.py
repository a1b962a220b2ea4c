"""One label file of YOLO: a line for each object, in shares of the image's width and height."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from fzmm.datasets.formats.text_lines import numbered_lines
from fzmm.errors import UserError

_LARGEST = 1 << 26  # bytes of polygons in one image
# Rounding, and points drawn a little outside, leave [0, 1]; pixels leave it by far.
_TOLERANCE = 0.1

Shares = tuple[float, float, float, float]


def read_label(
    path: Path, classes: int, has_keypoints: bool, counts: Counter[str]
) -> list[tuple[int, Shares]]:
    """Read a file.

    Args:
        path: The file.
        classes: How many there are.
        has_keypoints: Whether what follows the box are keypoints; else five or more numbers are a
            polygon, four a box.
        counts: Counts what is changed or left out.

    Returns:
        Class and (x, y, width, height) of each object, (x, y) its left upper corner, in shares of
        the image.

    Raises:
        UserError: If a line is neither a box nor a polygon; names file and line.
    """
    objects: list[tuple[int, Shares]] = []
    for number, line in numbered_lines(path, _LARGEST):
        label, values = _numbers(line, classes, f"{path}:{number}")
        if has_keypoints:
            values = values[:4]
        box = _box(values, f"{path}:{number}")
        if len(values) > 4:
            counts["polygons became boxes"] += 1
        if box[2] <= 0 or box[3] <= 0:
            counts["boxes without area left out"] += 1
        else:
            objects.append((label, box))
    return objects


def _numbers(line: str, classes: int, place: str) -> tuple[int, list[float]]:
    words = line.split()
    try:
        label, *values = (float(word) for word in words)
    except ValueError:
        raise UserError(
            f"{place}: {line[:40]!r} is not all numbers; write class x y width height"
        ) from None
    if not label.is_integer() or not 0 <= label < classes:
        raise UserError(f"{place}: class {words[0][:20]} is none of 0 to {classes - 1}; correct it")
    return int(label), values


def _box(values: list[float], place: str) -> Shares:
    if len(values) != 4 and (len(values) < 6 or len(values) % 2):
        raise UserError(
            f"{place}: {len(values)} numbers after the class; a box has 4, a polygon an even number"
            " from 6 on"
        )
    if not all(math.isfinite(value) for value in values):
        raise UserError(f"{place}: holds a number that is not finite; correct it")
    if min(values) < -_TOLERANCE or max(values) > 1 + _TOLERANCE:
        far = max(values, key=lambda value: abs(value - 0.5))
        raise UserError(
            f"{place}: {far:g} is no share of the image, from 0 to 1; divide by its size"
        )

    if len(values) == 4:
        x, y, width, height = values
        return (x - width / 2, y - height / 2, width, height)
    xs, ys = values[::2], values[1::2]
    return (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
