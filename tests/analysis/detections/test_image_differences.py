"""In which images two scenarios differ, on made cases."""

import dataclasses

import numpy as np

from fzmm.analysis.detections.ground_truth import from_coco
from fzmm.analysis.detections.image_differences import (
    image_differences,
    image_errors,
    most_alike,
    most_different,
)
from fzmm.analysis.detections.matching import Detections, in_order
from tests.analysis.detections.scenes import detect, scene


def truth_of(boxes_of_images):
    """Ground truth of images with some boxes 10 pixels wide, 20 apart."""
    annotations = [
        dict(image_id=image, category_id=1, bbox=[20 * place, 0, 10, 10], iscrowd=crowd)
        for image, crowds in enumerate(boxes_of_images)
        for place, crowd in enumerate(crowds)
    ]
    return from_coco(
        dict(
            images=[
                dict(id=i, file_name=f"{i}", width=99, height=99)
                for i in range(len(boxes_of_images))
            ],
            categories=[dict(id=1, name="one")],
            annotations=[one | dict(id=i) for i, one in enumerate(annotations)],
        )
    )


def found(*places, score=0.9):
    """Detections at (image, place of the box)."""
    boxes = [[20.0 * place, 0, 10, 10] for _, place in places]
    return Detections(
        np.array([image for image, _ in places], dtype=int),
        np.zeros(len(places), dtype=int),
        np.array(boxes, dtype=float).reshape(-1, 4),
        np.full(len(places), score),
    )


def test_boxes_that_only_one_finds_and_false_detections_count():
    truth = truth_of([[0, 0], [0], [], [0, 0, 0], [1]])
    first = image_errors([found((0, 0), (1, 0), (2, 3), (2, 4), (3, 0), (4, 0))], truth)
    second = image_errors([found((0, 1), (1, 0), (3, 0))], truth)
    # image 0: each finds another box; 2: two false detections; a crowd counts neither way
    differences = image_differences(first, second, truth)
    assert differences.tolist() == [2, 0, 2, 0, 0]
    assert most_different(differences, 12) == [0, 2]
    assert most_different(differences, 1) == [0]
    # where they agree, images with boxes go before those without
    assert most_alike(differences, truth, 3, without=[0, 2]) == [3, 1, 4]


def test_runs_are_averaged_and_low_scores_are_not_shown():
    truth = truth_of([[0], [0]])
    two = image_errors([found((0, 0), (1, 0)), found((0, 0), (1, 0), score=0.29)], truth)
    assert two.found.tolist() == [0.5, 0.5] and two.false.tolist() == [0, 0]
    none = image_errors([found()], truth)
    assert image_differences(two, none, truth).tolist() == [0.5, 0.5]


def test_what_counts_is_what_coco_counts_at_iou_05():
    """Against counting one by one on a random scene."""
    coco = scene(5, images=12)
    truth = from_coco(coco)
    detections = in_order(detect(coco, 3, ties=False), truth)
    errors = image_errors([detections], truth)
    shown = detections.above(0.3)
    assert 20 < len(shown) < len(detections)
    hits = int(round(errors.found.sum()))
    on_crowds = len(shown) - hits - int(errors.false.sum())
    assert 0 < hits < len(shown) and 0 <= on_crowds < 10
    nothing = dataclasses.replace(truth, crowd=np.ones_like(truth.crowd))
    assert image_errors([detections], nothing).found.sum() == 0
