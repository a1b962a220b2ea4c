"""AP of every class and size, against pycocotools."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fzmm.analysis.detections.average_precision import class_ap, mean_ap, precisions
from fzmm.analysis.detections.ground_truth import from_coco
from fzmm.analysis.detections.matching import AREAS, THRESHOLDS, in_order, match
from tests.analysis.detections.scenes import detect, records, scene


def pycocotools(coco, predictions):
    """The reference: precision (thresholds, recalls, classes, areas) and its twelve numbers."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = coco
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(records(predictions)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"][..., -1]
    return np.where(precision < 0, np.nan, precision), evaluation.stats


@pytest.mark.parametrize("seed", range(4))
def test_every_class_and_size_equals_pycocotools(seed):
    coco = scene(seed, crowd=0.2 * (seed % 2))
    predictions = detect(coco, seed + 10, ties=seed > 1)
    expected, stats = pycocotools(coco, predictions)
    truth = from_coco(coco)
    detections = in_order(predictions, truth)
    for index, area in enumerate(AREAS):
        actual = precisions(detections, match(detections, truth, area), truth)
        np.testing.assert_allclose(actual, expected[..., index], atol=1e-12)
        place = 0 if area == "all" else 2 + index
        assert mean_ap(class_ap(actual)) == pytest.approx(stats[place], abs=1e-12)
        assert stats[place] > 0.05
    whole = precisions(detections, match(detections, truth), truth)
    for threshold, place in ((0.5, 1), (0.75, 2)):
        assert mean_ap(class_ap(whole, threshold)) == pytest.approx(stats[place], abs=1e-12)
    assert len(THRESHOLDS) == 10


def test_without_boxes_or_detections():
    coco = scene(1)
    truth = from_coco(coco)
    nothing = in_order(detect(coco, 1)[:0], truth)
    assert mean_ap(class_ap(precisions(nothing, match(nothing, truth), truth))) == 0
    empty = from_coco(dict(coco, annotations=[]))
    detections = in_order(detect(coco, 1), empty)
    assert np.isnan(mean_ap(class_ap(precisions(detections, match(detections, empty), empty))))
