"""Small pictures of images as training reads them, and the boxes to draw on them."""

from __future__ import annotations

import base64
import io
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fzmm.datasets.training_pixels import training_pixels
from fzmm.study.dataset.dataset_split import DatasetSplit

MOST_BYTES = 24_000  # of a picture, so that a page of 112 has less than 5 MB
MOST_BOXES = 100  # drawn on one picture, the largest
COLOURS = 8
_SIDE = 320  # pixels
_THREADS = 4  # an image of 179 megapixels takes half a gigabyte while it is read


@dataclass(frozen=True)
class DrawnBox:
    """A box to draw.

    Attributes:
        x: Left side, in pixels of the image.
        y: Top side.
        width: In pixels.
        height: In pixels.
        label: Its class.
        colour: Number below ``COLOURS``.
        learnt: Whether training learns it: no crowd, inside the image, a pixel wide and high.
    """

    x: float
    y: float
    width: float
    height: float
    label: str
    colour: int
    learnt: bool


@dataclass(frozen=True)
class DrawnImage:
    """An image to show.

    Attributes:
        file_name: As its annotation file gives it.
        width: As training reads the image, pixels.
        height: The same.
        url: The picture itself; empty if it cannot be read any more.
        boxes: Largest first.
        left_out: How many boxes are not drawn.
    """

    file_name: str
    width: int
    height: int
    url: str = field(repr=False)
    boxes: list[DrawnBox]
    left_out: int

    @property
    def labels(self) -> list[tuple[str, int, int]]:
        """(class, colour, boxes that are drawn) of each class, the most frequent first."""
        counts = Counter((box.label, box.colour) for box in self.boxes)
        return [(label, colour, count) for (label, colour), count in counts.most_common()]


def draw_images(
    split: DatasetSplit, images: Sequence[dict[str, Any]], colours: Mapping[str, int]
) -> list[DrawnImage]:
    """Read images and the boxes on them.

    Args:
        split: The half of the dataset that they are in.
        images: Entries of its annotation file.
        colours: Number of each class's colour.
    """
    boxes = _boxes_of(split, {image["id"] for image in images}, colours)
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        pictures = list(pool.map(_picture, [split.path_of(image) for image in images]))
    return [
        DrawnImage(
            image["file_name"],
            *picture,
            boxes[image["id"]][:MOST_BOXES],
            max(0, len(boxes[image["id"]]) - MOST_BOXES),
        )
        for image, picture in zip(images, pictures, strict=True)
    ]


def _boxes_of(
    split: DatasetSplit, ids: set[int], colours: Mapping[str, int]
) -> dict[int, list[DrawnBox]]:
    """Return the boxes of some images by their ids, the largest first: small ones lie on top."""
    names = {category["id"]: category["name"] for category in split.coco["categories"]}
    learnt = {id(box) for box in split.boxes if box["image_id"] in ids}
    boxes = defaultdict(list)
    for annotation in split.coco["annotations"]:
        if annotation["image_id"] in ids:
            name = names[annotation["category_id"]]
            look = (name, colours[name] % COLOURS, id(annotation) in learnt)
            boxes[annotation["image_id"]].append(DrawnBox(*annotation["bbox"], *look))
    for of_image in boxes.values():
        of_image.sort(key=lambda box: -box.width * box.height)
    return boxes


def _picture(path: Path) -> tuple[int, int, str]:
    """Return an image's width and height as training reads it, and a small picture of it."""
    from PIL import Image

    pixels = training_pixels(path)
    if pixels is None:
        return 0, 0, ""
    height, width = pixels.shape[:2]
    image = Image.fromarray(pixels[:, :, ::-1])
    image.thumbnail((_SIDE, _SIDE))
    packed = base64.b64encode(_packed(image)).decode("ascii")
    return width, height, f"data:image/jpeg;base64,{packed}"


def _packed(image) -> bytes:
    """Return an image as JPEG of at most ``MOST_BYTES``."""
    for quality in (80, 60, 40, 20):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        if file.tell() <= MOST_BYTES:
            break
    return file.getvalue()
