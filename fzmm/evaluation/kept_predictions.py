"""A metric that measures nothing: it keeps the detections that an evaluation makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from fzmm.predictions import MOST_PER_IMAGE, Predictions


class KeptPredictions(BaseMetric):
    """Keep the strongest detections of each image, of all processes in the main one.

    Attributes:
        latest (list[tuple]): Image id, labels, boxes (x1, y1, x2, y2) and scores of each image of
            the latest evaluation; empty in other processes than the main one.
    """

    default_prefix = "predictions"

    def __init__(self) -> None:
        super().__init__()
        self.latest: list[tuple] = []

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep a batch's detections, sorted by score."""
        for sample in data_samples:
            instances = sample["pred_instances"]
            scores = instances["scores"].float().cpu().numpy()
            # stable, so that equal scores stay in the detector's order, as in pycocotools
            strongest = np.argsort(-scores, kind="stable")[:MOST_PER_IMAGE]
            labels = instances["labels"].cpu().numpy()[strongest]
            boxes = instances["bboxes"].float().cpu().numpy()[strongest]
            self.results.append((sample["img_id"], labels, boxes, scores[strongest]))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Hold on to them; there is nothing to measure."""
        self.latest = results
        return {}


def as_predictions(images: list[tuple], category_ids: Sequence[int]) -> Predictions:
    """Return the detections of :class:`KeptPredictions` as COCO counts them.

    Args:
        images: ``KeptPredictions.latest``.
        category_ids: The annotation file's id of each label.
    """
    counts = [len(scores) for *_, scores in images]
    empty = [np.zeros((0,)), np.zeros((0, 4)), np.zeros((0,))]
    columns = zip(*([labels, boxes, scores] for _, labels, boxes, scores in images), strict=True)
    labels, boxes, scores = (
        np.concatenate([first, *parts])
        for first, parts in zip(empty, columns or ([], [], []), strict=True)
    )
    boxes[:, 2:] -= boxes[:, :2]
    return Predictions(
        np.repeat(np.array([image_id for image_id, *_ in images], dtype=np.int64), counts),
        np.asarray(category_ids, dtype=np.int64)[labels.astype(np.int64)],
        boxes,
        scores,
    )
