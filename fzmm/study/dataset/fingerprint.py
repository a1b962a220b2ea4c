"""Perceptual hash of an image: alike for its copies, whatever their size, format and brightness.

As in pHash, bits are signs of the image's lowest frequencies, but of 16 x 16 in place of 8 x 8:
photographs of steel, or of cells, agree in the few lowest ones, and their texture is what tells
them apart. A handful of lines in place of the ``imagehash`` package, which takes longer and has no
mirrored comparison: mirroring an image negates every second frequency, so the hash of the mirrored
image follows from that of the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

LEAST_SIDE = 64  # pixels that an image should have to be told from others
_SIDE = 32
_FREQUENCIES = 16
BITS = _FREQUENCIES**2 - 1  # the lowest one is the brightness
_LARGEST = 512  # pixels a side; of a larger image every n-th is enough
_FLATTEST = 8  # of 255: with less contrast nothing but noise decides

# Rows of the discrete cosine transform (DCT-II); signs need no norm.
_COSINES = np.cos(
    np.pi * np.outer(np.arange(_FREQUENCIES), 2 * np.arange(_SIDE) + 1) / (2 * _SIDE)
).astype(np.float32)
_MIRRORED = np.where(np.arange(_FREQUENCIES**2) % 2, -1, 1).astype(np.float32)


def fingerprint(image: Image) -> bytes:
    """Return an image's hash, 32 bytes; none for one without contrast.

    Args:
        image: Pillow's, of any mode.
    """
    from PIL.Image import Resampling

    if max(image.size) > _LARGEST:
        size = tuple(min(side, _LARGEST) for side in image.size)
        image = image.resize(size, Resampling.NEAREST)
    grey = image.convert("L").resize((_SIDE, _SIDE), Resampling.BOX)
    low, high = grey.getextrema()
    if high - low < _FLATTEST:
        return b""
    frequencies = _COSINES @ np.asarray(grey, np.float32) @ _COSINES.T
    return np.packbits(frequencies > 0).tobytes()


def signs(fingerprints: list[bytes]) -> np.ndarray:
    """Return hashes as rows of -1 and 1, zeros for missing ones; float32 ``(hashes, 256)``.

    The product of two rows is ``BITS`` less twice the number of bits that differ.
    """
    rows = np.zeros((len(fingerprints), _FREQUENCIES**2), np.float32)
    known = [index for index, value in enumerate(fingerprints) if value]
    if known:
        packed = np.frombuffer(b"".join(fingerprints[index] for index in known), np.uint8)
        bits = np.unpackbits(packed.reshape(len(known), -1), axis=1)
        rows[known] = 2 * bits.astype(np.float32) - 1
    rows[:, 0] = 0
    return rows


def mirrored(rows: np.ndarray) -> np.ndarray:
    """Return the rows of ``signs`` of the images mirrored left to right."""
    return rows * _MIRRORED
