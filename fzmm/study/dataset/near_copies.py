"""Finding validation images that nearly are in training: copies, or frames of one video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fzmm.study.dataset.fingerprint import BITS, mirrored, signs

# A quarter of the bits, see benchmarks/README.md: of the 1.7 million pairs of NEU-DET and BCCD,
# every one that is as near shows one piece of steel, or group of cells, twice; of others the
# nearest differ in 30%. Copies of a third of the size, or of JPEG's quality 30, differ in less.
MOST_DIFFERENT = BITS // 4
_BLOCK = 2048  # images of each side compared at a time


@dataclass(frozen=True)
class NearCopy:
    """A validation image and the training image that is most like it.

    Attributes:
        val: Index of the validation image.
        train: Index of the training image.
        bits: How many of 255 bits differ.
        mirrored: Whether one is the other mirrored.
        others: How many more training images are as near copies of it.
    """

    val: int
    train: int
    bits: int
    mirrored: bool
    others: int


def find_near_copies(train: list[bytes], val: list[bytes]) -> list[NearCopy]:
    """Compare every validation image with every training image.

    Args:
        train: Fingerprints of the training images.
        val: Fingerprints of the validation images.

    Returns:
        One for each validation image with a near copy, in their order.
    """
    rows = signs(train)
    copies = []
    for start in range(0, len(val), _BLOCK):
        copies += _near_copies_of(signs(val[start : start + _BLOCK]), rows, start)
    return copies


def _near_copies_of(block: np.ndarray, rows: np.ndarray, first: int) -> list[NearCopy]:
    nearest = np.full(len(block), -np.inf)
    train, count = np.zeros(len(block), int), np.zeros(len(block), int)
    flipped = np.zeros(len(block), bool)
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK].T
        products = np.stack([block @ part, mirrored(block) @ part])
        alike = products.max(axis=0)
        count += (alike >= BITS - 2 * MOST_DIFFERENT).sum(axis=1)
        index = alike.argmax(axis=1)
        best = alike[np.arange(len(block)), index]
        closer = best > nearest
        nearest[closer], train[closer] = best[closer], start + index[closer]
        flips = products[1] > products[0]
        flipped[closer] = flips[np.arange(len(block)), index][closer]

    return [
        NearCopy(
            first + number,
            int(train[number]),
            int(BITS - nearest[number]) // 2,
            bool(flipped[number]),
            int(count[number]) - 1,
        )
        for number in np.flatnonzero(count)
    ]
