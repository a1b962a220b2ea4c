"""Kinds of errors on cases made by hand."""

import numpy as np
import pytest

from fzmm.analysis.detections.error_kinds import (
    KINDS,
    error_costs,
    error_counts,
    kinds_of_errors,
)
from fzmm.analysis.detections.ground_truth import from_coco
from fzmm.analysis.detections.matching import in_order, match
from fzmm.predictions import Predictions

BOX = [10.0, 10.0, 100.0, 100.0]


def judged(boxes, detections):
    """The errors of detections (class, box, score) of boxes (class, box) in one image."""
    coco = dict(
        images=[dict(id=1, file_name="a.jpg")],
        categories=[dict(id=1, name="ant"), dict(id=2, name="bee")],
        annotations=[
            dict(id=i, image_id=1, category_id=k, bbox=box, area=box[2] * box[3], iscrowd=0)
            for i, (k, box) in enumerate(boxes, 1)
        ],
    )
    truth = from_coco(coco)
    predictions = Predictions(
        np.ones(len(detections), dtype=int),
        np.array([k for k, _, _ in detections], dtype=int),
        np.array([box for _, box, _ in detections], dtype=float).reshape(-1, 4),
        np.array([score for *_, score in detections]),
    )
    ordered = in_order(predictions, truth)
    matches = match(ordered, truth)
    kind, _, missed = kinds_of_errors(ordered, matches, truth)
    costs = dict(zip(KINDS, error_costs(ordered, matches, truth), strict=True))
    names = [KINDS[k] if k >= 0 else None for k in kind]
    return names, dict(zip(KINDS, error_counts(kind, missed), strict=True)), costs


@pytest.mark.parametrize(
    ("detection", "kind", "missed"),
    [
        ((1, BOX, 0.9), None, 0),
        ((2, BOX, 0.9), "classification", 0),
        ((1, [10.0, 10.0, 40.0, 100.0], 0.9), "localisation", 0),  # IoU 0.4
        ((2, [10.0, 10.0, 40.0, 100.0], 0.9), "both", 1),
        ((1, [300.0, 300.0, 50.0, 50.0], 0.9), "background", 1),
    ],
)
def test_one_detection_of_one_box(detection, kind, missed):
    kinds, counts, costs = judged([(1, BOX)], [detection])
    assert kinds == [kind]
    assert counts["missed"] == missed
    # put right, these find the box; the others only stop being in the way of nothing
    gain = 1.0 if kind in ("classification", "localisation") else 0.0
    for name in ("classification", "localisation", "both", "background"):
        assert costs[name] == pytest.approx(gain if name == kind else 0.0, abs=1e-9)


def test_a_second_detection_is_a_duplicate():
    kinds, counts, costs = judged([(1, BOX)], [(1, BOX, 0.9), (1, BOX, 0.8)])
    assert kinds == [None, "duplicate"]
    assert counts["duplicate"] == 1 and costs["duplicate"] == 0  # it comes after the true one
    # before a true positive that comes later, it costs
    far = [300.0, 300.0, 50.0, 50.0]
    _, _, costs = judged([(1, BOX), (1, far)], [(1, BOX, 0.9), (1, BOX, 0.8), (1, far, 0.7)])
    assert costs["duplicate"] == pytest.approx((1 - 2 / 3) * 50 / 101, abs=1e-6)


def test_a_missed_box_costs_its_recall():
    far = [300.0, 300.0, 50.0, 50.0]
    kinds, counts, costs = judged([(1, BOX), (1, far)], [(1, BOX, 0.9)])
    assert counts["missed"] == 1
    assert costs["missed"] == pytest.approx(50 / 101, abs=1e-6)  # AP from 51 recalls to all


def test_of_two_errors_about_one_box_only_one_finds_it():
    near = [10.0, 10.0, 40.0, 100.0]
    kinds, counts, costs = judged([(1, BOX)], [(1, near, 0.9), (1, near, 0.8)])
    assert kinds == ["localisation"] * 2 and counts["localisation"] == 2
    assert costs["localisation"] == pytest.approx(1.0)


def test_no_detection_at_all():
    kinds, counts, costs = judged([(1, BOX)], [])
    assert kinds == [] and counts["missed"] == 1
    # no box is left to be found, so there is no AP
    assert costs["missed"] == pytest.approx(0.0)
