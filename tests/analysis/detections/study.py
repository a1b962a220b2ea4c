"""A study whose runs have kept what they detected: the more is frozen, the more is missed."""

import json

import cv2
import numpy as np

from fzmm.analysis.detections.average_precision import class_ap, mean_ap, precisions
from fzmm.analysis.detections.ground_truth import from_coco
from fzmm.analysis.detections.matching import in_order, match
from fzmm.predictions import write_predictions
from fzmm.utils.files import file_sha256
from tests.analysis import synthetic
from tests.analysis.detections.scenes import detect, scene


def write_images(folder, coco):
    """Write the images of a scene, its boxes as plain rectangles on a slope of grey."""
    for number, image in enumerate(coco["images"]):
        slope = np.linspace(30, 120, image["width"], dtype=np.uint8)
        pixels = np.repeat(np.tile(slope, (image["height"], 1))[:, :, None], 3, axis=2)
        for one in coco["annotations"]:
            if one["image_id"] == image["id"]:
                x, y, w, h = (round(value) for value in one["bbox"])
                pixels[y : y + h, x : x + w] = (200, 90 + number, 20 * (one["category_id"] % 12))
        path = folder / image["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), pixels)


def write_study(
    root,
    coco=None,
    seeds=2,
    stages=(5, 3, 0),
    amounts=("coco100",),
    frozen_misses=0.1,
    images=None,
    arm=None,
):
    """Write runs into ``root/runs`` and ``root/val.json``; returns the folder of the runs.

    Args:
        images: Folder that the runs' configs name for their validation images.
        arm: Name of a scenario beside freezing, which misses less than the unfrozen one.
    """
    coco = coco or scene(3, images=60)
    val = root / "val.json"
    val.write_text(json.dumps(coco))
    truth = from_coco(coco)
    for amount in amounts:
        for k in (*stages, *([arm] if arm else [])):
            for seed in range(seeds):
                trainable = 5 if k == arm else k
                misses = 0.0 if k == arm else 0.1 + frozen_misses * (5 - trainable)
                chance = 100 * trainable + seed + 1000 * (k == arm)
                predictions = detect(coco, chance, misses=misses, ties=False)
                detections = in_order(predictions, truth)
                at_recalls = precisions(detections, match(detections, truth), truth)
                best = round(mean_ap(class_ap(at_recalls)), 3)
                steps = [synthetic.LENGTH // 2, synthetic.LENGTH]
                folder = synthetic.write_run(
                    root / "runs",
                    amount,
                    trainable,
                    seed,
                    dataset="mine",
                    evaluations=(steps, [best, best - 0.01], [best, best]),
                    interval=100_000,
                    name=f"{amount}_{arm}" if k == arm else None,
                )
                keep(folder, predictions, val, images, arm if k == arm else None)
    return root / "runs"


def keep(folder, predictions, val, images=None, arm=None):
    """Keep predictions, if any, in a run's folder; its config names images and an arm."""
    record = json.loads((folder / "provenance.json").read_text())
    if arm is not None:
        record["study"] |= dict(arm=arm, arm_does="training otherwise")
    record["val"].update(ann_file=str(val), sha256=file_sha256(val))
    if predictions is not None:
        record["predictions"] = write_predictions(folder, predictions)
    (folder / "provenance.json").write_text(json.dumps(record))
    for config in folder.rglob("*.py"):
        text = config.read_text()
        if images is not None:
            prefix = f"'annotations/val.json', data_prefix=dict(img={str(images)!r}),"
            text = text.replace("'annotations/val.json',", prefix, 1)
        if arm is not None:
            text = text.replace("study = dict(", f"study = dict(arm={arm!r}, ", 1)
        config.write_text(text)
