"""Image files of a folder, and their sizes as training gets them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from fzmm.datasets.training_pixels import ORIENTATION, training_pixels
from fzmm.errors import UserError
from fzmm.utils.files import open_regular

SUFFIXES = {".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def is_image(path: str | os.PathLike) -> bool:
    """Whether a file has an image's suffix."""
    return os.path.splitext(path)[1].lower() in SUFFIXES


def images_below(folder: Path) -> list[Path]:
    """Return the image files of a folder and of those in it, sorted."""
    return [path for path in files_below(folder) if is_image(path)]


def files_below(folder: Path) -> list[Path]:
    """Return the files of a folder and of those in it, sorted; hidden ones are left out."""
    return sorted(_walk(folder))


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def loaded_size(path: Path) -> tuple[int, int]:
    """Return an image's (width, height) when training loads it, turned by its EXIF orientation.

    Raises:
        UserError: If it cannot be opened.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            # only the header is read here, whatever the image's size
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with open_regular(path) as file, Image.open(file) as image:
                size = image.size
                sideways = image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
    except UserError:  # a pipe or a device
        raise
    except Exception as error:  # whatever a decoder raises on a broken file
        reason = str(error).split("\n")[0] or type(error).__name__
        raise UserError(
            f"{path}: cannot be opened as an image ({reason}); replace or remove it"
        ) from None

    pixels = training_pixels(path) if sideways else None  # not every format is turned
    return size if pixels is None else (pixels.shape[1], pixels.shape[0])
