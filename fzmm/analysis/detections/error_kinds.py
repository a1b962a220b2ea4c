"""Kinds of errors of detections, as TIDE tells them apart.

Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors" (ECCV 2020), section
2.2, on the matches at an IoU of 0.5. What an error costs is TIDE's dAP: the AP at 0.5 once all
errors of the kind are put right (section 2.3), minus the AP as it is.
"""

from __future__ import annotations

import numpy as np

from fzmm.analysis.detections.average_precision import ap_of, by_class
from fzmm.analysis.detections.ground_truth import GroundTruth
from fzmm.analysis.detections.matching import Detections, Matches, candidates, overlaps

KINDS = ("classification", "localisation", "both", "duplicate", "background", "missed")
CLASS, LOCATION, BOTH, DUPLICATE, BACKGROUND, MISSED = range(6)
FOREGROUND, NEAR = 0.5, 0.1  # TIDE's t_f and t_b


def kinds_of_errors(
    detections: Detections, matches: Matches, truth: GroundTruth
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each detection's kind of error, the box that it is about, and the boxes missed.

    Args:
        detections: Of one run.
        matches: Of the same, for boxes of all areas.
        truth: The annotated boxes.

    Returns:
        Index into ``KINDS`` or -1 for none, shape (detections,); index of a box or -1, of the same
        shape; whether a box is missed: neither found nor about to be by an error of class or
        location, shape (boxes,).
    """
    wrong = ~matches.ignored[0] & ~matches.hits[0]
    found = np.zeros(len(truth.classes), dtype=bool)
    found[matches.box[0][matches.hits[0]]] = True

    detection, box = candidates(detections.images, truth.images)
    use = wrong[detection] & matches.counted[box]
    detection, box = detection[use], box[use]
    iou = overlaps(detections.boxes[detection], truth.boxes[box], truth.crowd[box])
    same = detections.classes[detection] == truth.classes[box]
    size = len(detections)
    own, own_box = _largest(detection, box, np.where(same, iou, 0), size)
    other, other_box = _largest(detection, box, np.where(same, 0, iou), size)

    kind = np.full(size, -1)
    about = np.full(size, -1)
    # in TIDE's order: the first that fits
    for name, fits, boxes in (
        (LOCATION, (own >= NEAR) & (own < FOREGROUND), own_box),
        (CLASS, other >= FOREGROUND, other_box),
        (DUPLICATE, own >= FOREGROUND, own_box),
        (BACKGROUND, np.maximum(own, other) < NEAR, None),
        (BOTH, np.ones(size, dtype=bool), None),
    ):
        chosen = wrong & (kind < 0) & fits
        kind[chosen] = name
        if boxes is not None:
            about[chosen] = boxes[chosen]

    near = np.zeros(len(truth.classes), dtype=bool)
    near[about[(kind == CLASS) | (kind == LOCATION)]] = True
    return kind, about, matches.counted & ~found & ~near


def error_costs(detections: Detections, matches: Matches, truth: GroundTruth) -> np.ndarray:
    """Return what each kind of error costs in mAP at an IoU of 0.5, shape (6,).

    The six need not add up to what is missing: one error can hide another.
    """
    kind, about, missed = kinds_of_errors(detections, matches, truth)
    hits, ignored = matches.hits[0], matches.ignored[0]
    taken = np.zeros(len(truth.classes), dtype=bool)
    taken[matches.box[0][hits]] = True
    boxes = np.bincount(truth.classes[matches.counted], minlength=len(truth.class_ids))
    now = _map_50(detections, detections.classes, hits, ignored, boxes)

    costs = np.zeros(len(KINDS))
    for name in range(len(KINDS)):
        if name == MISSED:
            left = boxes - np.bincount(truth.classes[missed], minlength=len(boxes))
            then = _map_50(detections, detections.classes, hits, ignored, left)
        elif name in (CLASS, LOCATION):
            fixed, useless = _put_right(detections, kind == name, about, taken)
            classes = detections.classes.copy()
            classes[fixed] = truth.classes[about[fixed]]
            then = _map_50(detections, classes, hits | fixed, ignored | useless, boxes)
        else:
            then = _map_50(detections, detections.classes, hits, ignored | (kind == name), boxes)
        costs[name] = then - now
    return costs


def error_counts(kind: np.ndarray, missed: np.ndarray) -> np.ndarray:
    """Return how many errors of each kind there are, shape (6,)."""
    counts = np.bincount(kind[kind >= 0], minlength=len(KINDS))
    counts[MISSED] = int(missed.sum())
    return counts


def _largest(detection, box, iou, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest IoU of each detection, 0 without any, and its box."""
    best, place = np.zeros(size), np.full(size, -1)
    order = np.argsort(iou, kind="stable")  # so that the largest is written last
    best[detection[order]] = iou[order]
    place[detection[order]] = box[order]
    return best, place


def _put_right(detections, chosen, about, taken) -> tuple[np.ndarray, np.ndarray]:
    """Return which errors become true positives, and which would only find a box again.

    Of several that are about one box the one with the highest score finds it.
    """
    fixed = np.zeros(len(chosen), dtype=bool)
    places = np.flatnonzero(chosen)
    places = places[np.argsort(-detections.scores[places], kind="stable")]
    places = places[~taken[about[places]]]
    _, first = np.unique(about[places], return_index=True)
    fixed[places[first]] = True
    return fixed, chosen & ~fixed


def _map_50(detections, classes, hits, left_out, boxes) -> float:
    turned = Detections(detections.images, classes, detections.boxes, detections.scores)
    values = []
    for k, order in enumerate(by_class(turned, len(boxes))):
        if boxes[k] > 0:
            values.append(ap_of(hits[order[~left_out[order]]], boxes[k]))
    return float(np.mean(values)) if values else 0.0
