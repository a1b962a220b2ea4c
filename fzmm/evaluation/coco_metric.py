"""COCO metrics with the same keys and numbers in a fraction of the time."""

from __future__ import annotations

import contextlib

import mmengine
import numpy as np
from mmdet.evaluation.metrics import coco_metric
from mmdet.evaluation.metrics.coco_metric import CocoMetric
from mmdet.registry import METRICS
from mmengine.logging import print_log

from fzmm.datasets.coco import no_garbage_collection
from fzmm.evaluation.fast_coco_eval import FastCOCOeval, InMemoryCOCO, Records, is_available


@METRICS.register_module()
class FastCocoMetric(CocoMetric):
    """MMDetection's ``CocoMetric`` through faster-coco-eval: same arguments, keys and numbers.

    Matching and accumulation run in C++, and box results go to them as they are, not by way of a
    JSON file. ``bbox`` and ``proposal`` gain from it, with results that hold masks in the matching
    only; ``segm`` and ``proposal_fast`` run as in the parent class. Without faster-coco-eval
    everything does, and a line says so.

    One thing differs: a model that detects nothing at all has an AP of 0. The parent returns no
    metric then, and a run that keeps its best checkpoint fails without it.

    Args:
        *args: As for ``CocoMetric``.
        **kwargs: As for ``CocoMetric``.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.is_fast = is_available() and not self.use_mp_eval
        if not is_available():
            print_log(
                "faster-coco-eval is not installed: COCO metrics take several times longer",
                logger="current",
            )
        if self.is_fast and self._coco_api is not None:
            self._coco_api = InMemoryCOCO.of(self._coco_api)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Return the parent's metrics.

        Args:
            results: (ground truth, prediction) of each image, as ``process`` collects them.
        """
        if not self.is_fast:
            return super().compute_metrics(results)
        replaced = _called_by_parent(COCO=InMemoryCOCO, COCOeval=FastCOCOeval, load=_load)
        with no_garbage_collection(), replaced:
            return super().compute_metrics(results)

    def results2json(self, results, outfile_prefix: str) -> dict:
        """Return box results as records; write them to files only if the user wants files.

        Args:
            results (list[dict]): Prediction of each image.
            outfile_prefix (str): Path of the files without their ending.
        """
        wants_files = self.outfile_prefix is not None or self.format_only
        if not self.is_fast or wants_files or (results and "masks" in results[0]):
            return super().results2json(results, outfile_prefix)
        records = Records()

        for index, result in enumerate(results):
            image_id = result.get("img_id", index)
            boxes = result["bboxes"].astype(np.float64)  # as the parent subtracts: in double
            boxes[:, 2:] -= boxes[:, :2]
            records.extend(
                [
                    {"image_id": image_id, "category_id": category, "bbox": box, "score": score}
                    for box, score, category in zip(
                        boxes.tolist(),
                        result["scores"].tolist(),
                        [self.cat_ids[label] for label in result["labels"].tolist()],
                        strict=True,
                    )
                ]
            )

        return dict(bbox=records, proposal=records)


def _load(results):
    """Return records that are in memory already, or those of a file that the user asked for."""
    return results if isinstance(results, Records) else mmengine.fileio.load(results)


@contextlib.contextmanager
def _called_by_parent(**names):
    """Let the parent's module call other things by these names for a while.

    The parent's method forms every key and table; only what it calls is to be another.
    """
    before = {name: getattr(coco_metric, name) for name in names}
    vars(coco_metric).update(names)
    try:
        yield
    finally:
        vars(coco_metric).update(before)
