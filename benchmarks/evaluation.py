"""Time COCO's box metrics on 5,000 images: pycocotools beside faster-coco-eval.

    python benchmarks/evaluation.py
    python benchmarks/evaluation.py --images 1000 --rounds 1

Both run as MMDetection runs them after a validation pass, from the detector's arrays to the dict
of metrics, in turn. The data are synthetic: COCO's number of images, classes, boxes and crowds,
and 67 detections an image.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import tempfile
from pathlib import Path

import _common
import numpy as np


def main() -> None:
    """Measure and print."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--detections", type=int, default=67, help="of an image")
    parser.add_argument("--classes", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    logging.disable(logging.INFO)

    from mmdet.evaluation import CocoMetric
    from pycocotools.cocoeval import COCOeval

    from fzmm.evaluation.coco_metric import FastCocoMetric
    from fzmm.evaluation.fast_coco_eval import FastCOCOeval

    coco, predictions = make(args.seed, args.images, args.detections, args.classes)
    figures, metrics, evaluators = {}, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "annotations.json"
        path.write_text(json.dumps(coco))
        for name, metric_class, evaluator in (
            ("pycocotools", CocoMetric, COCOeval),
            ("faster-coco-eval", FastCocoMetric, FastCOCOeval),
        ):
            with contextlib.redirect_stdout(io.StringIO()):
                metrics[name] = metric_class(ann_file=str(path))
            metrics[name].dataset_meta = dict(classes=[c["name"] for c in coco["categories"]])
            evaluators[name] = evaluator
    results = [({"img_id": p["img_id"]}, p) for p in predictions]

    def run(name):
        def call(_):
            with recorded(evaluators[name], figures.setdefault(name, [])):
                with contextlib.redirect_stdout(io.StringIO()):
                    metrics[name].compute_metrics(results)

        return call

    times, cpu = _common.interleave({name: run(name) for name in metrics}, args.rounds, warmup=0)
    stock, fast = times["pycocotools"], times["faster-coco-eval"]
    speedup = _common.ratio(stock, fast)
    cpu_speedup = _common.ratio(cpu["pycocotools"], cpu["faster-coco-eval"])
    difference = float(np.abs(np.subtract(*(figures[name][0] for name in metrics))).max())
    rows = [
        [
            name,
            f"{np.median(seconds):.1f} ({min(seconds):.1f}-{max(seconds):.1f})",
            f"{np.median(cpu[name]):.1f}",
            f"{figures[name][0][0]:.12f}",
        ]
        for name, seconds in times.items()
    ]
    headers = ["evaluator", "seconds (median, min-max)", "CPU seconds", "mAP"]
    boxes = sum(len(p["scores"]) for p in predictions)
    text = (
        f"{args.images} images, {len(coco['annotations'])} annotations, {boxes} detections\n\n"
        f"{_common.table(headers, rows)}\n\n{speedup['median']:.1f} times faster "
        f"({speedup['min']:.1f}-{speedup['max']:.1f}; by CPU time {cpu_speedup['median']:.1f}); "
        f"largest difference of the twelve figures {difference:.1e}"
    )
    _common.report(
        "evaluation", args, text,
        {
            "seconds": {name: _common.spread(seconds) for name, seconds in times.items()},
            "cpu_seconds": cpu, "times_pycocotools": speedup,
            "times_pycocotools_by_cpu_time": cpu_speedup, "largest_difference": difference,
            "figures": {name: list(map(float, figures[name][0])) for name in metrics},
        },
    )  # fmt: skip


@contextlib.contextmanager
def recorded(evaluator, figures: list):
    """Keep the twelve figures, which the metric rounds to three digits."""
    summarize = evaluator.summarize

    def record(self):
        summarize(self)
        figures.append(np.array(self.stats))

    evaluator.summarize = record
    try:
        yield
    finally:
        evaluator.summarize = summarize


def make(seed: int, images: int, detections: int, classes: int) -> tuple[dict, list[dict]]:
    """Return annotations as a COCO dict and detections as the metric collects them.

    Classes follow Zipf's law, boxes are log-uniform in size, 1.2% of them crowds; 60% of the
    detections lie near an annotation, a fifth of these with another class.
    """
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, classes + 1)
    share /= share.sum()
    annotations, predictions = [], []
    for image in range(1, images + 1):
        count = rng.poisson(7.3)
        present = rng.choice(classes, max(1, count // 2), p=share)
        size = np.exp(rng.uniform(np.log(8), np.log(400), (count, 2)))
        corner = rng.uniform(0, 1, (count, 2)) * ([640, 480] - size)
        truth, labels = np.hstack([corner, size]), rng.choice(present, count)
        for box, label in zip(truth.tolist(), labels.tolist(), strict=True):
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=image,
                    category_id=label + 1,
                    bbox=box,
                    area=box[2] * box[3],
                    iscrowd=int(rng.random() < 0.012),
                )
            )
        size = np.exp(rng.uniform(np.log(8), np.log(400), (detections, 2)))
        boxes = np.hstack([rng.uniform(0, 1, (detections, 2)) * [600, 440], size])
        found = rng.choice(present, detections)
        if count:
            near = rng.random(detections) < 0.6
            which = rng.integers(0, count, detections)
            noise = rng.normal(0, 0.1, (detections, 4)) * truth[which][:, [2, 3, 2, 3]]
            boxes[near] = (truth[which] + noise)[near]
            found[near] = labels[which][near]
        wrong = rng.random(detections) < 0.2
        found[wrong] = rng.integers(0, classes, wrong.sum())
        boxes[:, 2:] = boxes[:, :2] + np.abs(boxes[:, 2:])
        predictions.append(
            dict(
                img_id=image,
                bboxes=boxes.astype(np.float32),
                scores=rng.random(detections).astype(np.float32),
                labels=found,
            )
        )
    info = [dict(id=i, width=640, height=480, file_name=f"{i}.jpg") for i in range(1, images + 1)]
    categories = [dict(id=i + 1, name=f"class {i}") for i in range(classes)]
    return dict(images=info, annotations=annotations, categories=categories), predictions


if __name__ == "__main__":
    main()
