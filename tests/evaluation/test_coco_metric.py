"""FastCocoMetric against MMDetection's CocoMetric, which runs pycocotools."""

import json

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmdet.datasets import CocoDataset
from mmdet.evaluation import CocoMetric

from fzmm.errors import UserError
from fzmm.evaluation import coco_metric
from fzmm.evaluation.coco_metric import FastCocoMetric

CLASSES = ("ant", "bee", "cat")
METAINFO = dict(classes=CLASSES)


def random_dataset(seed, images=12, classes=CLASSES, boxes=8, crowd=0.2, first_id=1):
    """Boxes of every area range, some of them crowds; category ids that are not 0, 1, 2."""
    rng = np.random.default_rng(seed)
    annotations = []
    for image in range(images):
        for _ in range(rng.integers(0, boxes + 1)):
            size = np.exp(rng.uniform(np.log(8), np.log(250), 2))
            corner = rng.uniform(0, 1, 2) * ([640, 480] - size)
            annotations.append(
                dict(
                    id=len(annotations) + first_id,
                    image_id=100 + image,
                    category_id=10 * int(rng.integers(1, len(classes) + 1)),
                    bbox=[*map(float, corner), *map(float, size)],
                    area=float(size.prod()),
                    iscrowd=int(rng.random() < crowd),
                )
            )
    return dict(
        images=[
            dict(id=100 + i, width=640, height=480, file_name=f"{i}.jpg") for i in range(images)
        ],
        annotations=annotations,
        categories=[dict(id=10 * i, name=name) for i, name in enumerate(classes, 1)],
    )


def random_predictions(seed, coco, per_image=30, num_classes=3):
    """Detections near the ground truth and elsewhere, with many equal scores."""
    rng = np.random.default_rng(seed)
    samples = []
    for image in coco["images"]:
        truth = [a for a in coco["annotations"] if a["image_id"] == image["id"]]
        boxes, labels = np.zeros((per_image, 4)), np.zeros(per_image, dtype=np.int64)
        for i in range(per_image):
            if truth and rng.random() < 0.7:
                ann = truth[rng.integers(len(truth))]
                x, y, w, h = ann["bbox"] * rng.normal(1, 0.08, 4)
                labels[i] = ann["category_id"] // 10 - 1
            else:
                x, y, w, h = rng.uniform(0, 300, 4)
                labels[i] = rng.integers(num_classes)
            boxes[i] = x, y, x + w, y + h
        samples.append(
            dict(
                img_id=image["id"],
                ori_shape=(480, 640),
                pred_instances=dict(
                    bboxes=torch.from_numpy(boxes).float(),
                    scores=torch.from_numpy(rng.random(per_image).round(2)).float(),
                    labels=torch.from_numpy(labels),
                ),
            )
        )
    return samples


def evaluate(metric_class, tmp_path, coco, samples, classes=CLASSES, **kwargs):
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(coco))
    metric = metric_class(ann_file=str(path), **kwargs)
    metric.dataset_meta = dict(classes=classes)
    stats = []
    metric.process({}, samples)
    if coco_metric.is_available() and metric_class is FastCocoMetric:
        # the unrounded figures, too, which the metric itself cuts to three digits
        from fzmm.evaluation.fast_coco_eval import FastCOCOeval as evaluator
    else:
        from pycocotools.cocoeval import COCOeval as evaluator
    summarize = evaluator.summarize

    def record(self):
        summarize(self)
        stats.append(self.stats)

    evaluator.summarize = record
    try:
        return metric.evaluate(size=len(samples)), stats
    finally:
        evaluator.summarize = summarize


def assert_equal(tmp_path, coco, samples, **kwargs):
    expected, stats = evaluate(CocoMetric, tmp_path, coco, samples, **kwargs)
    actual, fast_stats = evaluate(FastCocoMetric, tmp_path, coco, samples, **kwargs)
    assert list(actual) == list(expected)
    np.testing.assert_equal(list(actual.values()), list(expected.values()))
    assert len(stats) == len(fast_stats)
    for ours, theirs in zip(fast_stats, stats, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    return actual


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10**6), boxes=st.integers(1, 12), per_image=st.integers(1, 40))
def test_random_data(tmp_path, seed, boxes, per_image):
    coco = random_dataset(seed, boxes=boxes)
    assert_equal(tmp_path, coco, random_predictions(seed, coco, per_image), classwise=True)


@pytest.mark.parametrize(
    "options",
    [
        dict(metric=["bbox", "proposal"]),
        dict(iou_thrs=[0.5, 0.75]),
        dict(proposal_nums=(1, 10, 100)),
        dict(metric_items=["mAP", "AR@100", "AR_s@1000"]),
        dict(prefix="train_split"),
        dict(use_mp_eval=True),
    ],
    ids=str,
)
def test_options(tmp_path, options):
    coco = random_dataset(3)
    if "iou_thrs" in options:
        options = dict(options, iou_thrs=np.array(options["iou_thrs"]))
    results = assert_equal(tmp_path, coco, random_predictions(3, coco), **options)
    assert results


def test_each_class_has_its_own_ap_where_ids_are_not_sorted(tmp_path):
    coco = random_dataset(13)
    samples = random_predictions(13, coco)
    expected = evaluate(FastCocoMetric, tmp_path, coco, samples, classwise=True)[0]
    by_class = {name: value for name, value in expected.items() if name.endswith("_precision")}
    assert len(set(by_class.values())) > 1
    turned = dict(coco, categories=coco["categories"][::-1])
    for sample in samples:  # labels are places in the annotation file's list of categories
        labels = sample["pred_instances"]["labels"]
        sample["pred_instances"]["labels"] = len(CLASSES) - 1 - labels
    actual = evaluate(FastCocoMetric, tmp_path, turned, samples, classwise=True)[0]
    assert actual == expected


def test_more_detections_than_the_limits(tmp_path):
    """AP over all thresholds reads 100 detections, its parts the last of ``proposal_nums``."""
    coco = random_dataset(5, images=3, boxes=30, classes=("ant",))
    samples = random_predictions(5, coco, per_image=1300, num_classes=1)
    assert_equal(tmp_path, coco, samples, classes=("ant",), metric=["bbox", "proposal"])


def test_no_detection_in_some_images(tmp_path):
    coco = random_dataset(1)
    samples = random_predictions(1, coco)
    for sample in samples[::2]:
        sample["pred_instances"] = {k: v[:0] for k, v in sample["pred_instances"].items()}
    assert_equal(tmp_path, coco, samples)


def test_no_detection_at_all(tmp_path):
    coco = random_dataset(1)
    samples = random_predictions(1, coco, per_image=0)
    assert evaluate(CocoMetric, tmp_path, coco, samples)[0] == {}
    assert evaluate(FastCocoMetric, tmp_path, coco, samples)[0]["coco/bbox_mAP"] == 0


def test_no_ground_truth(tmp_path):
    coco = random_dataset(1)
    samples = random_predictions(1, coco)
    coco["annotations"] = []
    results = assert_equal(tmp_path, coco, samples, classwise=True)
    assert results["coco/bbox_mAP"] == -1


def test_neither_ground_truth_nor_detection(tmp_path):
    coco = random_dataset(1)
    samples = random_predictions(1, coco, per_image=0)
    coco["annotations"] = []
    results, _ = evaluate(FastCocoMetric, tmp_path, coco, samples)
    assert results["coco/bbox_mAP"] == -1  # as pycocotools: there is nothing to find


def test_only_crowds(tmp_path):
    coco = random_dataset(2, crowd=1.0)
    assert_equal(tmp_path, coco, random_predictions(2, coco), classwise=True)


def test_one_class_and_one_image(tmp_path):
    coco = random_dataset(4, images=1, classes=("ant",))
    samples = random_predictions(4, coco, num_classes=1)
    assert_equal(tmp_path, coco, samples, classes=("ant",), classwise=True)


def test_classes_that_are_not_evaluated(tmp_path):
    coco = random_dataset(6)
    samples = random_predictions(6, coco, num_classes=2)
    for sample in samples:
        sample["pred_instances"]["labels"].clamp_(max=1)
    assert_equal(tmp_path, coco, samples, classes=CLASSES[:2], metric=["bbox", "proposal"])


def test_annotation_ids_that_start_at_zero(tmp_path):
    coco = random_dataset(7, first_id=0)
    assert_equal(tmp_path, coco, random_predictions(7, coco))


def test_metric_is_evaluated_twice(tmp_path):
    coco = random_dataset(8)
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(coco))
    metric = FastCocoMetric(ann_file=str(path))
    metric.dataset_meta = dict(classes=CLASSES)
    results = []
    for seed in (0, 0, 1):
        metric.process({}, random_predictions(seed, coco))
        results.append(metric.evaluate(size=len(coco["images"])))
    assert results[0] == results[1] != results[2]
    assert json.loads(path.read_text()) == coco


def test_without_an_annotation_file(tmp_path):
    coco = random_dataset(9, crowd=0)
    samples = random_predictions(9, coco)
    for sample in samples:
        sample["instances"] = [
            dict(
                bbox=[a["bbox"][0], a["bbox"][1], a["bbox"][0] + a["bbox"][2],
                      a["bbox"][1] + a["bbox"][3]],
                bbox_label=a["category_id"] // 10 - 1,
            )
            for a in coco["annotations"]
            if a["image_id"] == sample["img_id"]
        ]  # fmt: skip
    results = []
    for metric_class in (CocoMetric, FastCocoMetric):
        metric = metric_class()
        metric.dataset_meta = dict(classes=CLASSES)
        metric.process({}, samples)
        results.append(metric.evaluate(size=len(samples)))
    assert results[0] == results[1]
    assert results[0]["coco/bbox_mAP"] > 0


def test_files_are_still_written_for_those_who_want_them(tmp_path):
    coco = random_dataset(10)
    samples = random_predictions(10, coco)
    files = []
    for metric_class in (CocoMetric, FastCocoMetric):
        prefix = tmp_path / metric_class.__name__
        assert evaluate(metric_class, tmp_path, coco, samples, outfile_prefix=str(prefix))[0]
        evaluate(
            metric_class, tmp_path, coco, samples, outfile_prefix=str(prefix), format_only=True
        )
        files.append(prefix.with_suffix(".bbox.json").read_text())
    assert files[0] == files[1]


def test_falls_back_to_pycocotools(tmp_path, monkeypatch):
    monkeypatch.setattr(coco_metric, "is_available", lambda: False)
    coco = random_dataset(11)
    assert_equal(tmp_path, coco, random_predictions(11, coco), classwise=True)


@pytest.mark.parametrize("metric_class", [CocoMetric, FastCocoMetric])
def test_missing_fields_are_what_everyone_takes_them_for(metric_class, tmp_path):
    """No crowd, and the box's area; both metrics, and MMDetection's own dataset too."""
    import fzmm.register  # noqa: F401

    coco = random_dataset(12, crowd=0)
    samples = random_predictions(12, coco)
    expected = evaluate(metric_class, tmp_path, coco, samples)[0]
    for annotation in coco["annotations"]:
        del annotation["iscrowd"], annotation["area"]
    assert evaluate(metric_class, tmp_path, coco, samples)[0] == expected

    dataset = CocoDataset(
        ann_file=str(tmp_path / "annotations.json"),
        data_prefix=dict(img=""),
        metainfo=METAINFO,
    )
    assert sum(len(info["instances"]) for info in dataset) == len(coco["annotations"])
    del coco["images"][2]["width"]
    with pytest.raises(UserError, match=r"annotations.json: images\[2\] has no `width`"):
        evaluate(metric_class, tmp_path, coco, samples)
