"""The bootstrap over images: against drawing the images themselves, and its time."""

import copy

import numpy as np

from fzmm.analysis.detections.average_precision import class_ap, mean_ap, precisions
from fzmm.analysis.detections.bootstrap import drawn_maps, image_copies
from fzmm.analysis.detections.ground_truth import from_coco
from fzmm.analysis.detections.matching import THRESHOLDS, in_order, match
from fzmm.predictions import Predictions
from tests.analysis.detections.scenes import detect, scene


def drawn_directly(coco, predictions, copies):
    """mAP of a dataset in which each image stands as often as it was drawn."""
    images, annotations, parts = [], [], []
    for place, image in enumerate(sorted(coco["images"], key=lambda image: image["id"])):
        for _ in range(int(copies[place])):
            new = len(images) + 1
            images.append(dict(image, id=new))
            for one in coco["annotations"]:
                if one["image_id"] == image["id"]:
                    annotations.append(dict(copy.copy(one), image_id=new))
            part = predictions[predictions.image_ids == image["id"]]
            parts.append((np.full(len(part), new), part))
    drawn = Predictions(
        np.concatenate([ids for ids, _ in parts]),
        *(
            np.concatenate([getattr(part, name) for _, part in parts])
            for name in ("category_ids", "boxes", "scores")
        ),
    )
    truth = from_coco(dict(coco, images=images, annotations=annotations))
    detections = in_order(drawn, truth)
    return mean_ap(class_ap(precisions(detections, match(detections, truth), truth)))


def test_draws_equal_those_of_the_images_themselves():
    coco = scene(5, images=15)
    predictions = detect(coco, 5, ties=False)
    truth = from_coco(coco)
    detections = in_order(predictions, truth)
    copies = image_copies(15, draws=12)
    assert (copies.sum(axis=0) == 15).all()
    actual = drawn_maps(detections, match(detections, truth), truth, copies)
    expected = [drawn_directly(coco, predictions, copies[:, draw]) for draw in range(12)]
    # where a recall is exactly one of the 101, rounding decides whether it is reached
    one_recall = 1 / 101 / len(THRESHOLDS) / 4
    np.testing.assert_allclose(actual, expected, atol=1.01 * one_recall)
    assert np.median(abs(actual - expected)) < 1e-6
    assert actual.std() > 0.01


def test_counting_neighbours_together_changes_little(monkeypatch):
    coco = scene(6, images=200, classes=2)
    truth = from_coco(coco)
    detections = in_order(detect(coco, 6, ties=False), truth)
    matches, copies = match(detections, truth), image_copies(200, draws=50)
    coarse = drawn_maps(detections, matches, truth, copies)
    monkeypatch.setattr("fzmm.analysis.detections.bootstrap.STEPS", 10_000)
    exact = drawn_maps(detections, matches, truth, copies)
    assert abs(coarse - exact).max() < 0.004  # the level, which cancels in a difference
    assert abs((coarse - coarse.mean()) - (exact - exact.mean())).max() < 0.001
