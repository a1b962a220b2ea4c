"""Boxes with their labels on an image, in the manner of MMDetection's visualiser."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fzmm.utils.terminal import printable

_LINE = 204  # of 255: DetLocalVisualizer's alpha of 0.8, of lines and of what is behind a label
_LABEL = (225, 225, 225)
_LONGEST_LABEL = 22


@dataclass(frozen=True)
class LabelledBox:
    """A box to draw.

    Attributes:
        box: x, y, width and height in pixels of the image.
        colour: Red, green and blue.
        label: What stands in its corner.
    """

    box: np.ndarray
    colour: tuple[int, int, int]
    label: str


def draw_boxes(image: Image.Image, boxes: list[LabelledBox], scale: float, line: int) -> None:
    """Draw boxes into an image.

    Args:
        image: RGB.
        boxes: The last is on top.
        scale: Pixels of this image for one of the boxes.
        line: Width of a line in pixels; a label's height follows it.
    """
    draw = ImageDraw.Draw(image, "RGBA")  # so that colours may be transparent
    for one in boxes:
        left, top = (one.box[:2] * scale).tolist()
        right, bottom = ((one.box[:2] + one.box[2:]) * scale).tolist()
        corners = (left, top, max(right, left + 1), max(bottom, top + 1))
        draw.rectangle(corners, outline=(*one.colour, _LINE), width=line)
    for one in boxes:  # above all lines
        _draw_label(draw, image.size, one, scale, line)


def font(height: int) -> ImageFont.FreeTypeFont:
    """Return the font of labels, one that comes with Matplotlib."""
    return _font(height)


def short(text: str, length: int = _LONGEST_LABEL) -> str:
    """Return a user's text in one line that can be drawn."""
    text = printable(" ".join(text.split()))
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _draw_label(draw, size, one: LabelledBox, scale: float, line: int) -> None:
    if not one.label:
        return
    letters = font(7 + 2 * line)
    _, _, width, height = draw.textbbox((0, 0), one.label, font=letters)
    # within the box's corner, and within the image where the box reaches beyond it
    x = min(max(float(one.box[0]) * scale + line, 0), max(size[0] - width - 2, 0))
    y = min(max(float(one.box[1]) * scale + line, 0), max(size[1] - height - 2, 0))
    draw.rectangle((x, y, x + width + 1, y + height + 1), fill=(0, 0, 0, _LINE))
    draw.text((x + 1, y), one.label, fill=_LABEL, font=letters)


@cache
def _font(height: int) -> ImageFont.FreeTypeFont:
    path = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(str(path), height)
