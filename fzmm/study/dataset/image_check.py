"""Checking images before training: each opens to its end, and is as large as its file says."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fzmm.errors import UserError
from fzmm.study.dataset.dataset_split import DatasetSplit
from fzmm.study.dataset.decoded_image import ODDITIES, DecodedImage, decode

Progress = Callable[[Iterable, int, str], Iterable]


def check_images(
    split: DatasetSplit, description: str, progress: Progress
) -> tuple[list[DecodedImage], list[str]]:
    """Decode every image of a split.

    Args:
        split: The images and what their file says of them.
        description: What to call them beside the progress.
        progress: Wraps an iterable of known length to show how far it is.

    Returns:
        What each image is, and notes on what is odd.

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

    return decoded, [*_compare(split, paths, decoded), *_odd(paths, decoded)]


def _compare(split: DatasetSplit, paths: list[str], decoded: list[DecodedImage]) -> list[str]:
    """Compare the images with the sizes that the annotations were made for."""
    wrong: dict[int, DecodedImage] = {}
    texts = []
    for path, image, entry in zip(paths, decoded, split.coco["images"], strict=True):
        said = (entry["width"], entry["height"])
        if said == image.loaded:
            continue
        if image.orientation in (5, 6, 7, 8) and said == image.loaded[::-1]:
            raise UserError(_turned(path, image, split))
        wrong[entry["id"]] = image
        texts.append(f"{path} is {_pixels(image.loaded)}, not {_pixels(said)}")

    if not wrong:
        return []
    note = f"{len(wrong)} images are not of the size that {split.ann_file} says: {texts[0]}"
    outside = sum(
        _is_outside(box["bbox"], wrong[box["image_id"]].loaded)
        for box in split.boxes
        if box["image_id"] in wrong
    )
    if outside:
        note += (
            f"; {outside} of their boxes reach beyond the image, so their boxes may be those of "
            "another size: resize the images back, or scale the boxes"
        )
    return [note]


def _odd(paths: list[str], decoded: list[DecodedImage]) -> list[str]:
    """Note what training makes of images that the one who annotated them may not have seen."""
    found = defaultdict(list)
    for path, image in zip(paths, decoded, strict=True):
        for key in image.odd:
            found[key].append(path)
    return [
        f"{len(found[key])} images {text} (such as {found[key][0]})"
        for key, text in ODDITIES.items()
        if key in found
    ]


def _is_outside(box: list[float], size: tuple[int, int]) -> bool:
    """Whether a box reaches more than a pixel beyond an image: rounding may reach as far."""
    x, y, width, height = box
    return x + width > size[0] + 1 or y + height > size[1] + 1


def _turned(path: str, image: DecodedImage, split: DatasetSplit) -> str:
    if image.loaded == image.stored:  # a format that training does not turn
        return (
            f"{path}: training does not follow its EXIF orientation {image.orientation}, so that "
            f"it is {_pixels(image.loaded)}, but {split.ann_file} has "
            f"{_pixels(image.loaded[::-1])}, so every box would be off; save the image turned and "
            "without EXIF"
        )
    return (
        f"{path}: its EXIF orientation {image.orientation} makes it {_pixels(image.loaded)} when "
        f"training loads it, but {split.ann_file} has {_pixels(image.stored)}, so every box would "
        "be off; save the image without EXIF or annotate it as it is shown"
    )


def _pixels(size: tuple[Any, Any]) -> str:
    return f"{size[0]} x {size[1]}"
