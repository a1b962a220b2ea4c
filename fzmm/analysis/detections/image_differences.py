"""In which images two scenarios differ: what their runs find, and what they detect wrongly."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from fzmm.analysis.detections.ground_truth import GroundTruth
from fzmm.analysis.detections.matching import Detections, match

SHOWN_SCORE = 0.3  # from which on MMDetection's visualiser and confusion matrix count a detection


@dataclasses.dataclass(frozen=True)
class ImageErrors:
    """What some runs find and detect wrongly at an IoU of 0.5, means over the runs.

    Attributes:
        found: Share of the runs that find each box, shape (boxes,); 0 for crowds.
        false: Detections of an image that find no box, shape (images,).
    """

    found: np.ndarray
    false: np.ndarray


def image_errors(runs: Sequence[Detections], truth: GroundTruth) -> ImageErrors:
    """Return the errors of a scenario's runs, of detections that would be shown."""
    found, false = np.zeros(len(truth.classes)), np.zeros(len(truth.image_ids))
    for detections in runs:
        shown = detections.above(SHOWN_SCORE)
        matches = match(shown, truth)
        hits, ignored = matches.hits[0], matches.ignored[0]
        found[matches.box[0][hits]] += 1
        false += np.bincount(shown.images[~hits & ~ignored], minlength=len(false))
    return ImageErrors(found / len(runs), false / len(runs))


def image_differences(first: ImageErrors, second: ImageErrors, truth: GroundTruth) -> np.ndarray:
    """Return by how many boxes and false detections two scenarios differ, shape (images,)."""
    boxes = np.bincount(
        truth.images, weights=abs(first.found - second.found), minlength=len(truth.image_ids)
    )
    return boxes + abs(first.false - second.false)


def most_different(differences: np.ndarray, most: int) -> list[int]:
    """Return the images with the largest differences, of equal ones the first."""
    order = np.argsort(-differences, kind="stable")[:most]
    return [int(image) for image in order if differences[image] > 0]


def most_alike(
    differences: np.ndarray, truth: GroundTruth, most: int, without: Sequence[int]
) -> list[int]:
    """Return the images with the smallest differences, of equal ones those with most boxes.

    Images without a box come last: that nothing is found there says little.
    """
    boxes = np.bincount(truth.images[~truth.crowd], minlength=len(differences))
    order = np.lexsort((-boxes, differences, boxes == 0))
    return [int(image) for image in order if image not in without][:most]
