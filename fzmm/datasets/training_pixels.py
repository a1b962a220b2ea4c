"""Images as training reads them: with OpenCV, as MMDetection's ``LoadImageFromFile`` does."""

from __future__ import annotations

import os

import numpy as np

from fzmm.errors import UserError
from fzmm.utils.files import read_regular

_LARGEST = 1 << 29  # bytes of one file: 179 megapixels, more of which Pillow refuses, unpacked
ORIENTATION = 0x0112  # EXIF's tag; 1 is upright, 3 upside down, 5 to 8 lie on their side


def training_pixels(path: str | os.PathLike, turned: bool = True) -> np.ndarray | None:
    """Return an image as ``mmcv.imfrombytes`` makes it, or None if OpenCV does not open it.

    OpenCV turns images by their EXIF orientation, but not those of every format (WebP), so whether
    it does is better looked at than known.

    Args:
        path: The file.
        turned: False leaves the orientation aside.

    Returns:
        BGR, uint8 ``(height, width, 3)``.
    """
    import cv2

    flags = cv2.IMREAD_COLOR if turned else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        return cv2.imdecode(np.frombuffer(read_regular(path, _LARGEST), np.uint8), flags)
    except (UserError, cv2.error):
        return None
