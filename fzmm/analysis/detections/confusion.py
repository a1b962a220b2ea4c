"""Which class is taken for which: MMDetection's confusion matrix.

The definition is that of its ``tools/analysis_tools/confusion_matrix.py``, with its defaults.
"""

from __future__ import annotations

import numpy as np

from fzmm.analysis.detections.ground_truth import GroundTruth
from fzmm.analysis.detections.image_differences import SHOWN_SCORE
from fzmm.analysis.detections.matching import Detections, candidates, overlaps

_IOU = 0.5


def confusion_matrix(detections: Detections, truth: GroundTruth) -> np.ndarray:
    """Count annotated classes against detected ones.

    A detection counts for every box of any class that it overlaps enough, crowds among them, and
    in the last row where there is none; a box that no detection of its class overlaps counts in the
    last column, whatever else does.

    Returns:
        Whole numbers of shape (classes + 1, classes + 1): rows are annotated classes, columns
        detected ones, the last of each the background.
    """
    shown, background = detections.above(SHOWN_SCORE), len(truth.class_ids)
    boxes = np.flatnonzero(truth.loaded)
    detection, place = candidates(shown.images, truth.images[boxes])
    box = boxes[place]
    # the tool takes a crowd for a box as any other
    iou = overlaps(shown.boxes[detection], truth.boxes[box], np.zeros(len(box), dtype=bool))
    near = iou >= _IOU
    detection, box = detection[near], box[near]

    counts = np.zeros((background + 1, background + 1), dtype=np.int64)
    np.add.at(counts, (truth.classes[box], shown.classes[detection]), 1)
    alone = np.delete(shown.classes, np.unique(detection))
    np.add.at(counts[background], alone, 1)
    right = truth.classes[box] == shown.classes[detection]
    missed = np.setdiff1d(boxes, box[right])
    np.add.at(counts[:, background], truth.classes[missed], 1)
    return counts


def shares(counts: np.ndarray) -> np.ndarray:
    """Return each row of a matrix in percent of its sum, NaN where it is empty."""
    sums = counts.sum(axis=1, keepdims=True)
    return 100 * np.divide(counts, sums, out=np.full(counts.shape, np.nan), where=sums > 0)
