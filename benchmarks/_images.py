"""Batches of a detector's training: synthetic scenes, or a user's COCO-format images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def scene(rng: np.random.Generator, height: int, width: int, objects: int = 7):
    """Return a photograph-like image with objects on it.

    Args:
        rng: Where chance comes from.
        height: In pixels.
        width: In pixels.
        objects: How many; 7.3 is COCO's mean.

    Returns:
        tuple: BGR image (height, width, 3) uint8 and boxes (objects, 4) float32, x1 y1 x2 y2.
    """
    # detail at every scale, weaker the finer: what a photograph's spectrum looks like
    image = np.zeros((height, width, 3), np.float32)
    for level in range(2, 9):
        coarse = rng.normal(0, 40 / level, (2**level, 2**level, 3)).astype(np.float32)
        image += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    image = np.clip(image + 110, 0, 255).astype(np.uint8)
    boxes = []
    for _ in range(objects):
        size = np.exp(rng.uniform(np.log(16), np.log(0.6 * min(height, width)), 2))
        x1, y1 = (rng.uniform(0, 1, 2) * ([width, height] - size)).astype(int)
        x2, y2 = x1 + int(size[0]), y1 + int(size[1])
        color = tuple(int(c) for c in rng.integers(0, 256, 3))
        if rng.random() < 0.5:
            cv2.rectangle(image, (x1, y1), (x2, y2), color, -1)
        else:
            centre, axes = ((x1 + x2) // 2, (y1 + y2) // 2), ((x2 - x1) // 2, (y2 - y1) // 2)
            cv2.ellipse(image, centre, axes, 0, 0, 360, color, -1)
        boxes.append([x1, y1, x2, y2])
    return image, np.array(boxes, np.float32)


def scenes(seed: int, count: int, height: int, width: int, num_classes: int) -> list[tuple]:
    """Return ``count`` synthetic (image, boxes, labels)."""
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(count):
        image, boxes = scene(rng, height, width)
        drawn.append((image, boxes, rng.integers(0, num_classes, len(boxes))))
    return drawn


def from_coco(path: Path, count: int, height: int, width: int, num_classes: int) -> list[tuple]:
    """Return ``count`` (image, boxes, labels) of a COCO annotation file, resized.

    Images are looked for in the folder of the same split: ``instances_train.json`` beside
    ``../train/``, or in the file's own folder.

    Args:
        path: The annotation file.
        count: How many images; repeated if there are fewer.
        height: To which all are stretched, in pixels.
        width: Likewise.
        num_classes: Labels are taken modulo this.
    """
    from pycocotools.coco import COCO

    coco = COCO(str(path))
    categories = {category: i % num_classes for i, category in enumerate(coco.getCatIds())}
    split = path.stem.removeprefix("instances_")
    folders = (path.parent.parent / split, path.parent)
    drawn = []
    for info in coco.loadImgs(coco.getImgIds()):
        file = next(
            (f / info["file_name"] for f in folders if (f / info["file_name"]).exists()), ""
        )
        annotations = [a for a in coco.imgToAnns[info["id"]] if not a.get("iscrowd")]
        image = cv2.imread(str(file))
        if image is None or not annotations:
            continue
        scale = np.tile([width / image.shape[1], height / image.shape[0]], 2)
        boxes = np.array([a["bbox"] for a in annotations], np.float32)
        boxes[:, 2:] += boxes[:, :2]
        labels = np.array([categories[a["category_id"]] for a in annotations])
        drawn.append(
            (cv2.resize(image, (width, height)), (boxes * scale).astype(np.float32), labels)
        )
        if len(drawn) == count:
            break
    if not drawn:
        raise SystemExit(f"error: found no image with a box for {path}")
    return [drawn[i % len(drawn)] for i in range(count)]


def batches(drawn: list[tuple], batch_size: int) -> list[dict]:
    """Return what MMDetection's data loader gives for ``drawn``: a dict for each batch."""
    import torch
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    made = []
    for start in range(0, len(drawn), batch_size):
        inputs, samples = [], []
        for image, boxes, labels in drawn[start : start + batch_size]:
            size = image.shape[:2]
            inputs.append(torch.from_numpy(image.transpose(2, 0, 1).copy()))
            info = dict(img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0))
            sample = DetDataSample(metainfo=info)
            sample.gt_instances = InstanceData(
                bboxes=torch.from_numpy(boxes), labels=torch.from_numpy(labels).long()
            )
            sample.ignored_instances = InstanceData(
                bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
            )
            samples.append(sample)
        made.append(dict(inputs=inputs, data_samples=samples))
    return made
