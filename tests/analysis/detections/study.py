"""A study whose runs have kept what they detected: the more is frozen, the more is missed."""

import json

from fzmm.analysis.detections.average_precision import class_ap, mean_ap, precisions
from fzmm.analysis.detections.ground_truth import from_coco
from fzmm.analysis.detections.matching import in_order, match
from fzmm.predictions import write_predictions
from fzmm.utils.files import file_sha256
from tests.analysis import synthetic
from tests.analysis.detections.scenes import detect, scene


def write_study(
    root, coco=None, seeds=2, stages=(5, 3, 0), amounts=("coco100",), frozen_misses=0.1
):
    """Write runs into ``root/runs`` and ``root/val.json``; returns the folder of the runs."""
    coco = coco or scene(3, images=60)
    val = root / "val.json"
    val.write_text(json.dumps(coco))
    truth = from_coco(coco)
    for amount in amounts:
        for k in stages:
            for seed in range(seeds):
                misses = 0.1 + frozen_misses * (5 - k)
                predictions = detect(coco, 100 * k + seed, misses=misses, ties=False)
                detections = in_order(predictions, truth)
                at_recalls = precisions(detections, match(detections, truth), truth)
                best = round(mean_ap(class_ap(at_recalls)), 3)
                steps = [synthetic.LENGTH // 2, synthetic.LENGTH]
                folder = synthetic.write_run(
                    root / "runs",
                    amount,
                    k,
                    seed,
                    dataset="mine",
                    evaluations=(steps, [best, best - 0.01], [best, best]),
                    interval=100_000,
                )
                record = json.loads((folder / "provenance.json").read_text())
                record["val"].update(ann_file=str(val), sha256=file_sha256(val))
                record["predictions"] = write_predictions(folder, predictions)
                (folder / "provenance.json").write_text(json.dumps(record))
    return root / "runs"
