"""One image several times in a row, each time with other boxes; and its bytes as JPEG."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from fzmm.analysis.figures.pictures.drawn_boxes import LabelledBox, draw_boxes, font, short

GAP = 6  # pixels between two
_TALLEST = 1.4  # times as high as wide; what is taller is made narrower
_LARGEST_SCALE = 4  # of a small image: beyond, pixels become squares


def side_by_side(
    pixels: np.ndarray,
    boxes: Sequence[list[LabelledBox]],
    width: int,
    line: int,
    titles: Sequence[str] = (),
) -> Image.Image:
    """Draw an image once for each list of boxes.

    Args:
        pixels: BGR, uint8 (height, width, 3).
        boxes: Of each copy.
        width: Of a copy, in pixels at most.
        line: Width of the boxes' lines.
        titles: A line above each copy.
    """
    image, scale = _fitted(Image.fromarray(pixels[:, :, ::-1]), width)
    head = 10 + 6 * line if titles else 0
    step = image.width + GAP
    size = (step * len(boxes) - GAP, image.height + head)
    row = Image.new("RGB", size, (255, 255, 255))
    for place, of_copy in enumerate(boxes):
        copy = image.copy()
        draw_boxes(copy, of_copy, scale, line)
        row.paste(copy, (place * step, head))
    for place, title in enumerate(titles):
        letters = font(5 + 4 * line)
        ImageDraw.Draw(row).text((place * step + 2, 2), short(title, 40), (0, 0, 0), letters)
    return row


def as_jpeg(image: Image.Image, most_bytes: int | None = None) -> bytes:
    """Return an image's JPEG, of less quality and then smaller where it would be too large."""
    for quality in (85, 72, 58):
        data = _encoded(image, quality)
        if most_bytes is None or len(data) <= most_bytes:
            return data
    while len(data) > most_bytes:
        image = image.resize((max(image.width * 4 // 5, 1), max(image.height * 4 // 5, 1)))
        data = _encoded(image, quality)
    return data


def _fitted(image: Image.Image, width: int) -> tuple[Image.Image, float]:
    scale = min(width / image.width, _TALLEST * width / image.height, _LARGEST_SCALE)
    size = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
    return image.resize(size, Image.Resampling.LANCZOS), scale


def _encoded(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, optimize=True)
    return file.getvalue()
