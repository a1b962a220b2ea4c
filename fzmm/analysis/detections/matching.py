"""Which detection finds which box: COCO's matching, of all images and thresholds at once.

pycocotools goes through images, classes and thresholds one by one. Here the first detections of
all images and classes choose their boxes together, then the second ones, and so on; the choice of
each is pycocotools' own (``COCOeval.evaluateImg``).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from fzmm.analysis.detections.ground_truth import GroundTruth
from fzmm.predictions import Predictions

THRESHOLDS = np.linspace(0.5, 0.95, 10)
# pycocotools' areaRng, in square pixels
AREAS = {"all": (0, 1e10), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}


@dataclasses.dataclass(frozen=True)
class Detections:
    """A run's detections, the images in order and in each the highest score first.

    Attributes:
        images: Index of each detection's image, shape (n,).
        classes: Index of its class, shape (n,).
        boxes: x, y, width and height, shape (n, 4).
        scores: Shape (n,).
    """

    images: np.ndarray
    classes: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, score: float) -> Detections:
        """Return the detections with at least this score."""
        chosen = self.scores >= score
        return Detections(*(getattr(self, f.name)[chosen] for f in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True)
class Matches:
    """What became of each detection at each threshold, for boxes of one range of areas.

    Attributes:
        box: Index of the matched box or -1, shape (thresholds, detections).
        ignored: Whether the detection counts neither way, of the same shape.
        counted: Whether a box is to be found, shape (boxes,).
    """

    box: np.ndarray
    ignored: np.ndarray
    counted: np.ndarray

    @property
    def hits(self) -> np.ndarray:
        """The true positives, bool (thresholds, detections)."""
        return (self.box >= 0) & ~self.ignored


def in_order(predictions: Predictions, truth: GroundTruth) -> Detections:
    """Return a run's detections on the images and classes of an annotation file."""
    images = _index(truth.image_ids, predictions.image_ids)
    classes = _index(truth.class_ids, predictions.category_ids)
    known = np.flatnonzero((images >= 0) & (classes >= 0))
    order = known[np.lexsort((-predictions.scores[known], images[known]))]
    return Detections(
        images[order], classes[order], predictions.boxes[order], predictions.scores[order]
    )


def match(detections: Detections, truth: GroundTruth, area: str = "all") -> Matches:
    """Match detections to boxes of their own class as pycocotools does.

    Args:
        detections: Of one run.
        truth: The annotated boxes.
        area: A key of ``AREAS``; boxes of other areas are ignored.
    """
    low, high = AREAS[area]
    ignore = truth.crowd | (truth.areas < low) | (truth.areas > high)
    box = np.full((len(THRESHOLDS), len(detections)), -1, dtype=np.int64)
    pairs = _pairs(detections, truth)
    taken = np.zeros((len(THRESHOLDS), len(truth.classes)), dtype=bool)
    for chosen in _rounds(detections, pairs[0], len(truth.class_ids)):
        _choose(*(column[chosen] for column in pairs), truth.crowd, ignore, taken, box)

    sizes = detections.boxes[:, 2] * detections.boxes[:, 3]
    ignored = np.where(box >= 0, ignore[box] if len(ignore) else False, False)
    ignored |= (box < 0) & ((sizes < low) | (sizes > high))
    return Matches(box, ignored, ~ignore)


def overlaps(boxes: np.ndarray, others: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """Return the IoU of pairs of boxes; with a crowd, the share of the box that lies in it.

    Args:
        boxes: Detections, shape (n, 4).
        others: Annotated boxes, shape (n, 4).
        crowd: Whether these are crowds, shape (n,).
    """
    ends = np.minimum(boxes[:, :2] + boxes[:, 2:], others[:, :2] + others[:, 2:])
    sides = np.maximum(ends - np.maximum(boxes[:, :2], others[:, :2]), 0)
    common = sides[:, 0] * sides[:, 1]
    area = boxes[:, 2] * boxes[:, 3]
    union = np.where(crowd, area, area + others[:, 2] * others[:, 3] - common)
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def candidates(keys: np.ndarray, box_keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all pairs of a detection and a box with equal keys, sorted by detection, then box."""
    order = np.argsort(box_keys, kind="stable")
    first = np.searchsorted(box_keys[order], keys, side="left")
    count = np.searchsorted(box_keys[order], keys, side="right") - first
    detection = np.repeat(np.arange(len(keys)), count)
    place = np.arange(len(detection)) - np.repeat(np.cumsum(count) - count, count)
    return detection, order[np.repeat(first, count) + place]


def _index(known: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return the place of each id, -1 where it is unknown."""
    if not len(known):
        return np.full(len(ids), -1)
    place = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return np.where(known[place] == ids, place, -1)


def _pairs(detections: Detections, truth: GroundTruth):
    """Return detections, boxes and IoU of all pairs of one image and class that may match."""
    count = len(truth.class_ids)
    detection, box = candidates(
        detections.images * count + detections.classes, truth.images * count + truth.classes
    )
    iou = overlaps(detections.boxes[detection], truth.boxes[box], truth.crowd[box])
    near = iou >= THRESHOLDS[0]
    return detection[near], box[near], iou[near]


def _rounds(detections: Detections, detection: np.ndarray, classes: int):
    """Yield the pairs of the first detection of every image and class, of the second ..."""
    unique, start = np.unique(detection, return_index=True)
    keys = detections.images[unique] * classes + detections.classes[unique]
    order = np.argsort(keys, kind="stable")
    _, first, group = np.unique(keys[order], return_index=True, return_inverse=True)
    number = np.empty(len(unique), dtype=np.int64)
    number[order] = np.arange(len(unique)) - first[group]
    number = np.repeat(number, np.diff([*start, len(detection)]))
    by_round = np.argsort(number, kind="stable")
    yield from np.split(by_round, np.cumsum(np.bincount(number))[:-1]) if len(number) else ()


def _choose(detection, box, iou, crowd, ignore, taken, result) -> None:
    """Let each detection of a round take its best free box; shapes (pairs,)."""
    unique, start = np.unique(detection, return_index=True)
    free = ~taken[:, box] | crowd[box]
    able = free & (iou >= np.minimum(THRESHOLDS, 1 - 1e-10)[:, None])
    # a box that counts goes before any that is ignored; of equal ones pycocotools takes the last
    value = np.where(able, iou + 2.0 * ~ignore[box], -1.0)
    best = np.maximum.reduceat(value, start, axis=1)
    owner = np.repeat(np.arange(len(unique)), np.diff([*start, len(detection)]))
    place = np.where(able & (value == best[:, owner]), np.arange(len(box)), -1)
    last = np.maximum.reduceat(place, start, axis=1)
    threshold, column = np.nonzero(last >= 0)
    boxes = box[last[threshold, column]]
    taken[threshold, boxes] = True
    result[threshold, unique[column]] = boxes
