"""Checking images before training: each opens to its end, and is as large as its file says."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from fzmm.errors import UserError
from fzmm.study.dataset.dataset_split import DatasetSplit
from fzmm.utils.files import read_regular

Progress = Callable[[Iterable, int, str], Iterable]

# What OpenCV, with which MMDetection reads images, opens whatever is in them.
_ALWAYS_OPENED = ("JPEG", "PNG")
_LARGEST = 1 << 29  # bytes of one file: 179 megapixels, more of which Pillow refuses, unpacked
_ORIENTATION = 0x0112  # EXIF's tag; 1 is upright, 3 upside down, 5 to 8 lie on their side


@dataclass(frozen=True)
class DecodedImage:
    """An image file as it was found.

    Attributes:
        stored: (width, height) in the file, pixels.
        loaded: The same as training gets it, turned by its EXIF orientation.
        orientation: EXIF's number.
        error: Why it cannot be read.
    """

    stored: tuple[int, int] = (0, 0)
    loaded: tuple[int, int] = (0, 0)
    orientation: int = 1
    error: str | None = None


def check_images(
    split: DatasetSplit, description: str, progress: Progress
) -> tuple[list[tuple[int, int]], list[str]]:
    """Decode every image of a split.

    Args:
        split: The images and what their file says of them.
        description: What to call them beside the progress.
        progress: Wraps an iterable of known length to show how far it is.

    Returns:
        (width, height) of each image as training gets it, and notes on what is odd.

    Raises:
        UserError: If an image is missing, cannot be read, or is turned away from its boxes.
    """
    paths = [str(split.path_of(image)) for image in split.coco["images"]]
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise UserError(
            f"{missing[0]}: no such image; {len(missing)} of {len(paths)} images of "
            f"{split.ann_file} are missing"
        )

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoders let other threads run
        decoded = list(progress(pool.map(decode, paths), len(paths), description))
    for path, image in zip(paths, decoded, strict=True):
        if image.error:
            raise UserError(
                f"{path}: cannot be opened as an image ({image.error}); replace or remove it"
            )

    return [image.loaded for image in decoded], _compare(split, paths, decoded)


def decode(path: str) -> DecodedImage:
    """Read an image to its end, as cheaply as its format allows."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            # a large image is none of ours to warn of; Pillow refuses those above 179 megapixels
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
        with image:
            size, kind = image.size, image.format
            orientation = image.getexif().get(_ORIENTATION, 1)
            # A JPEG is then read whole but unpacked at an eighth of its size: much faster.
            image.draft("RGB", (max(1, size[0] // 8), max(1, size[1] // 8)))
            image.load()
    except Exception as error:  # whatever a decoder raises on a broken file
        return DecodedImage(error=str(error).split("\n")[0] or type(error).__name__)

    if kind in _ALWAYS_OPENED and orientation == 1:
        return DecodedImage(size, size)
    return _as_training_loads_it(path, size, kind, orientation)


def _as_training_loads_it(
    path: str, stored: tuple[int, int], kind: str, orientation: int
) -> DecodedImage:
    """Read an image as MMDetection's ``LoadImageFromFile`` does, to see what becomes of it."""
    import cv2

    try:
        data = np.frombuffer(read_regular(path, _LARGEST), np.uint8)
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except (UserError, cv2.error):
        pixels = None
    if pixels is None:
        return DecodedImage(
            error=f"OpenCV, with which MMDetection reads images, does not open this {kind}; "
            "convert it to PNG or JPEG"
        )
    return DecodedImage(stored, (pixels.shape[1], pixels.shape[0]), orientation)


def _compare(split: DatasetSplit, paths: list[str], decoded: list[DecodedImage]) -> list[str]:
    """Compare the images with the sizes that the annotations were made for."""
    wrong, half_turned = [], []
    for path, image, entry in zip(paths, decoded, split.coco["images"], strict=True):
        said = (entry["width"], entry["height"])
        if said == image.loaded:
            if image.orientation != 1 and image.stored == image.loaded:
                half_turned.append(path)
        elif said == image.stored:
            raise UserError(_turned(path, image, split))
        else:
            wrong.append(f"{path} is {_pixels(image.loaded)}, not {_pixels(said)}")

    notes = []
    if wrong:
        notes.append(
            f"{len(wrong)} images are not of the size that {split.ann_file} says: {wrong[0]}"
        )
    if half_turned:
        notes.append(
            f"{len(half_turned)} images are turned upside down or mirrored by their EXIF "
            f"orientation when training loads them, such as {half_turned[0]}: make sure that their "
            "boxes are those of the turned image"
        )

    return notes


def _turned(path: str, image: DecodedImage, split: DatasetSplit) -> str:
    return (
        f"{path}: its EXIF orientation {image.orientation} makes it {_pixels(image.loaded)} when "
        f"training loads it, but {split.ann_file} has {_pixels(image.stored)}, so every box would "
        "be off; save the image without EXIF or annotate it as it is shown"
    )


def _pixels(size: tuple[Any, Any]) -> str:
    return f"{size[0]} x {size[1]}"
