"""Measure how long a resumed training takes to its first batch.

    python benchmarks/resume.py

A dataset of COCO's size (118,287 images, 860,001 annotations; every image the same small JPEG) is
loaded by MMDetection's CocoDataset. Then the time from having the model, that is from the start of
the training loop at the given iteration, to the first batch is measured with this project's batch
sampler; MMDetection's sampler with MMEngine's way of resuming is timed over a few hundred batches.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from mmdet.registry import DATASETS
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner.loops import _InfiniteDataloaderIterator
from torch.utils.data import DataLoader

from fzmm.datasets.samplers.resumable_batch_sampler import ResumableAspectRatioBatchSampler
from fzmm.engine.hooks.exact_resume_hook import PositionedIterator

IMAGES, ANNOTATIONS = 118_287, 860_001


def write_coco(folder: Path, images: int) -> Path:
    """Write an annotation file with COCO's numbers of images and boxes; every image is one file."""
    rng = np.random.default_rng(0)
    cv2.imwrite(str(folder / "image.jpg"), rng.integers(0, 255, (60, 80, 3), dtype=np.uint8))
    per_image = np.bincount(
        rng.integers(0, images, ANNOTATIONS * images // IMAGES), minlength=images
    )
    annotations = [
        {
            "image_id": int(image),
            "category_id": 1,
            "bbox": [5, 5, 20, 20],
            "area": 400,
            "iscrowd": 0,
        }
        for image in np.repeat(np.arange(images), per_image)
    ]
    for number, annotation in enumerate(annotations):
        annotation["id"] = number + 1
    tall = rng.random(images) < 0.3
    content = {
        "images": [
            {"id": i, "file_name": "image.jpg", "width": 80, "height": 100 if tall[i] else 60}
            for i in range(images)
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "thing"}],
    }
    path = folder / "train.json"
    path.write_text(json.dumps(content))
    return path


def build_dataset(path: Path):
    """Return MMDetection's dataset with the study's training pipeline, at a small size."""
    init_default_scope("mmdet")
    return DATASETS.build(
        {
            "type": "CocoDataset",
            "ann_file": str(path),
            "data_prefix": {"img": str(path.parent)},
            "metainfo": {"classes": ("thing",)},
            "filter_cfg": {"filter_empty_gt": True, "min_size": 0},
            "pipeline": [
                {"type": "LoadImageFromFile"},
                {"type": "LoadAnnotations", "with_bbox": True},
                {"type": "Resize", "scale": (80, 60), "keep_ratio": True},
                {"type": "RandomFlip", "prob": 0.5},
                {"type": "PackDetInputs"},
            ],
        }
    )


class Shuffled:
    """What MMEngine hands a batch sampler."""

    def __init__(self, dataset) -> None:
        self.dataset, self.seed, self.shuffle = dataset, 0, True


def main() -> None:
    """Measure and print JSON and a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--iteration", type=int, default=300_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--stock-iterations", type=int, default=300, help="to extrapolate from")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = write_coco(Path(folder), args.images)
        started = time.perf_counter()
        dataset = build_dataset(path)
        load = time.perf_counter() - started
        builds, firsts = [], []
        for _ in range(args.repeats):
            started = time.perf_counter()
            sampler = ResumableAspectRatioBatchSampler(Shuffled(dataset), args.batch_size)
            builds.append(time.perf_counter() - started)
            loader = DataLoader(
                dataset,
                batch_sampler=sampler,
                num_workers=args.workers,
                collate_fn=pseudo_collate,
            )
            started = time.perf_counter()
            sampler.seek(args.iteration)
            next(PositionedIterator(loader))
            firsts.append(time.perf_counter() - started)
        del dataset.__getitems__
        stock = stock_seconds(dataset, args) / args.stock_iterations * args.iteration
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "torch": torch.__version__,
        "images": args.images,
        "iteration": args.iteration,
        "workers": args.workers,
        "load_dataset_s": round(load, 2),
        "build_sampler_s": [round(value, 3) for value in builds],
        "first_batch_s": [round(value, 3) for value in firsts],
        "sampler_and_first_batch_s": round(max(builds) + max(firsts), 2),
        "stock_extrapolated_s": round(stock),
    }
    print(json.dumps(result))
    print(f"| first batch at iteration {args.iteration:,} of {args.images:,} images | seconds |")
    print("|---|---|")
    print(f"| fzmm: build the batch sampler (once, before the model) | {max(builds):.2f} |")
    print(f"| fzmm: from the start of the loop to the first batch | {max(firsts):.2f} |")
    print(f"| MMEngine with AspectRatioBatchSampler, {args.workers} workers, extrapolated from "
          f"{args.stock_iterations} iterations of small images | {stock:,.0f} |")  # fmt: skip


def stock_seconds(dataset, args: argparse.Namespace) -> float:
    """Return the seconds in which MMEngine's iterator skips ``stock_iterations`` batches."""
    from mmdet.datasets.samplers import AspectRatioBatchSampler
    from mmengine.dataset import InfiniteSampler

    batches = AspectRatioBatchSampler(InfiniteSampler(dataset, seed=0), args.batch_size)
    loader = DataLoader(
        dataset, batch_sampler=batches, num_workers=args.workers, collate_fn=pseudo_collate
    )
    iterator = _InfiniteDataloaderIterator(loader)
    next(iterator)  # the workers' start is not skipping
    started = time.perf_counter()
    for _ in range(args.stock_iterations):
        next(iterator)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
