"""Precision and recall of matched detections, and COCO's average precision."""

from __future__ import annotations

import numpy as np

from fzmm.analysis.detections.ground_truth import GroundTruth
from fzmm.analysis.detections.matching import THRESHOLDS, Detections, Matches

RECALLS = np.linspace(0, 1, 101)


def precisions(detections: Detections, matches: Matches, truth: GroundTruth) -> np.ndarray:
    """Return the precision at each recall, as ``COCOeval.accumulate``.

    Returns:
        Shape (thresholds, recalls, classes); NaN for classes without a box to find.
    """
    result = np.full((len(THRESHOLDS), len(RECALLS), len(truth.class_ids)), np.nan)
    boxes = np.bincount(truth.classes[matches.counted], minlength=len(truth.class_ids))
    hits = matches.hits
    for k, order in enumerate(by_class(detections, len(truth.class_ids))):
        if not boxes[k]:
            continue
        for t in range(len(THRESHOLDS)):
            counted = order[~matches.ignored[t, order]]
            result[t, :, k] = _at_recalls(hits[t, counted], boxes[k])
    return result


def class_ap(at_recalls: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """Return the AP of each class, over all thresholds or at one; shape (classes,)."""
    if threshold is not None:
        at_recalls = at_recalls[[int(np.argmin(abs(THRESHOLDS - threshold)))]]
    return at_recalls.mean(axis=(0, 1))


def mean_ap(of_classes: np.ndarray) -> float:
    """Return the mean over the classes that have boxes, NaN where none has."""
    known = of_classes[np.isfinite(of_classes)]
    return float(known.mean()) if len(known) else float("nan")


def by_class(detections: Detections, count: int) -> list[np.ndarray]:
    """Return the detections of each class, the highest score first."""
    order = np.argsort(-detections.scores, kind="stable")
    order = order[np.argsort(detections.classes[order], kind="stable")]
    ends = np.cumsum(np.bincount(detections.classes, minlength=count))
    return np.split(order, ends[:-1]) if count else []


def ap_of(hits: np.ndarray, boxes: int) -> float:
    """Return the AP of one class at one threshold.

    Args:
        hits: Whether each detection is a true positive, the highest score first.
        boxes: Boxes to be found.
    """
    return float(_at_recalls(hits, boxes).mean())


def _at_recalls(hits: np.ndarray, boxes: int) -> np.ndarray:
    found = np.cumsum(hits)
    recall = found / boxes
    precision = found / (np.arange(1, len(hits) + 1) + np.spacing(1))
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    place = np.searchsorted(recall, RECALLS, side="left")
    return np.append(highest, 0.0)[place]
