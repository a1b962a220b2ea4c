"""How far mAP moves with the choice of the validation images: a bootstrap over images.

Images are drawn with replacement, the same ones for every run, so that differences are paired
(Efron and Tibshirani 1993, chapter 8). Detections are matched once; a draw is a number of copies
of each image, so the counts of all draws are one product of a sparse matrix with that of copies.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from fzmm.analysis.detections.average_precision import by_class
from fzmm.analysis.detections.ground_truth import GroundTruth
from fzmm.analysis.detections.matching import THRESHOLDS, Detections, Matches

DRAWS = 1000
# Steps of the precision-recall curve that are kept of a class. With no more true positives than
# that the draws are exact; above, neighbours are counted together.
STEPS = 100


def image_copies(images: int, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Return how often each image is in each draw, float32 (images, draws)."""
    generator = np.random.default_rng(seed)
    copies = np.empty((images, draws), dtype=np.float32)
    for draw in range(draws):
        copies[:, draw] = np.bincount(generator.integers(0, images, images), minlength=images)
    return copies


def drawn_maps(
    detections: Detections, matches: Matches, truth: GroundTruth, copies: np.ndarray
) -> np.ndarray:
    """Return the mAP of each draw, shape (draws,); NaN for one without a box.

    Args:
        detections: Of one run.
        matches: Of the same, for boxes of all areas.
        truth: The annotated boxes.
        copies: How often each image is in each draw, (images, draws).
    """
    total = np.zeros(copies.shape[1])
    count = np.zeros(copies.shape[1])
    hits = matches.hits
    for k, order in enumerate(by_class(detections, len(truth.class_ids))):
        images = truth.images[matches.counted & (truth.classes == k)]
        if not len(images):
            continue
        boxes = _sums(images, np.zeros(len(images), dtype=np.int64), 1, copies)[0]
        ap = _drawn_ap(
            detections.images[order], hits[:, order], matches.ignored[:, order], boxes, copies
        )
        drawn = boxes > 0  # a draw without a box of the class has no AP of it
        total[drawn] += ap[drawn]
        count[drawn] += 1
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)


def _drawn_ap(images, hits, ignored, boxes, copies) -> np.ndarray:
    """Return one class's AP in each draw; detections in the order of their scores."""
    any_hit = hits.any(axis=0)
    if not any_hit.any():
        return np.zeros(copies.shape[1])
    used = slice(0, int(np.flatnonzero(any_hit)[-1]) + 1)  # what comes later changes no precision
    images, hits, ignored = images[used], hits[:, used], ignored[:, used]
    before = np.cumsum(any_hit[used]) - any_hit[used]
    steps = int(before[-1]) + 1
    step = before if steps <= STEPS else before * STEPS // steps
    steps = min(steps, STEPS)

    seen = np.cumsum(_sums(images, step, steps, copies), axis=0)
    total = np.zeros(copies.shape[1])
    for hit, left_out in zip(hits, ignored, strict=True):
        shown = seen
        if left_out.any():
            shown = seen - np.cumsum(_sums(images[left_out], step[left_out], steps, copies), axis=0)
        found = np.cumsum(_sums(images[hit], step[hit], steps, copies), axis=0)
        total += _interpolated(found, shown, boxes)
    return total / len(THRESHOLDS)


def _sums(images, step, steps: int, copies: np.ndarray) -> np.ndarray:
    """Return how many of some detections each draw holds at each step, (steps, draws)."""
    ones = np.ones(len(images), dtype=np.float32)
    return csr_matrix((ones, (step, images)), shape=(steps, len(copies))) @ copies


def _interpolated(found: np.ndarray, seen: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return COCO's AP with 101 recalls; counts up to each step, (steps, draws)."""
    precision = found / np.maximum(seen, 1e-9)
    highest = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    # how many of the 101 recalls are reached at each step
    reached = np.floor(100 * found / np.maximum(boxes, 1e-9) + 1e-4) + 1
    new = np.diff(reached, axis=0, prepend=0)
    return np.einsum("sd,sd->d", highest, new) / 101
