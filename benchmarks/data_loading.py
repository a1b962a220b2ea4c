"""Time what the data loader does to an image: decoding by each library, resizing, whole batches.

    python benchmarks/data_loading.py
    python benchmarks/data_loading.py --data path/to/folder/of/jpegs --workers 0 1 2 4

Without ``--data``, images of COCO's size are drawn and saved as JPEG with a seed.
"""

from __future__ import annotations

import logging
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import _common
import _images
import cv2
import numpy as np


def main() -> None:
    """Measure and print."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a folder of JPEG files")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--size", type=int, nargs=2, default=[480, 640])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--batch-size", type=int, default=2)
    args = parser.parse_args()
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    import torch  # noqa: F401  (its version and threads belong into the report)

    with tempfile.TemporaryDirectory() as folder:
        paths = sorted(args.data.rglob("*.jpg"))[: args.images] if args.data else []
        if args.data and not paths:
            parser.error(f"no .jpg in {args.data}")
        paths = paths or write_images(Path(folder), args)
        parts = {**decoders(paths), **resizers(paths)}
        times, _ = _common.interleave(parts, args.rounds)
        rows, results = [], {}
        for name, seconds in times.items():
            per_image = [1e3 * s / len(paths) for s in seconds]
            reference = times["decode, cv2"] if "decode" in name else times["resize, cv2 bilinear"]
            results[name] = {"ms_per_image": _common.spread(per_image)}
            rows.append(
                [name, show(per_image), f"{_common.ratio(reference, seconds)['median']:.2f}"]
            )
        loaders = {
            f"loader, {n} workers{pin}": (n, bool(pin)) for n in args.workers for pin in pins()
        }
        for name, (workers, pin) in loaders.items():
            per_image = [load(paths, args, workers, pin) for _ in range(min(3, args.rounds))]
            results[name] = {"ms_per_image": _common.spread(per_image)}
            rows.append([name, show(per_image), "-"])
    headers = ["part", "ms an image (median, min-max)", "times MMDetection's default"]
    _common.report("data_loading", args, _common.table(headers, rows), results)


def show(values: list[float]) -> str:
    """Return median, minimum and maximum as text."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def pins() -> list[str]:
    """Return the variants of page-locked memory there are: without a GPU, only none."""
    import torch

    return ["", ", pinned"] if torch.cuda.is_available() else [""]


def write_images(folder: Path, args) -> list[Path]:
    """Draw images and save them as JPEG of the quality that COCO's files have, about 95."""
    rng = np.random.default_rng(args.seed)
    paths = []
    for i in range(args.images):
        image, _ = _images.scene(rng, *args.size)
        paths.append(folder / f"{i:04}.jpg")
        cv2.imwrite(str(paths[-1]), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return paths


def decoders(paths: list[Path]) -> dict:
    """Return a function for each backend of ``mmcv.imfrombytes`` that is installed here."""
    import mmcv

    data = [path.read_bytes() for path in paths]
    found = {}
    for backend in ("cv2", "turbojpeg", "pillow"):
        try:
            mmcv.use_backend(backend)
            mmcv.imfrombytes(data[0], backend=backend)
        except Exception as error:  # each backend is missing in its own way
            print(f"decode, {backend}: not measured ({' '.join(str(error).split())[:80]})")
            continue
        found[f"decode, {backend}"] = lambda _, backend=backend: [
            mmcv.imfrombytes(d, backend=backend) for d in data
        ]
    mmcv.use_backend("cv2")
    return found


def resizers(paths: list[Path]) -> dict:
    """Return a function for each way to bring an image to the study's 800 x 1333 at most."""
    import mmcv

    images = [cv2.imread(str(path)) for path in paths]
    return {
        f"resize, {backend} bilinear": lambda _, backend=backend: [
            mmcv.imrescale(image, (1333, 800), backend=backend) for image in images
        ]
        for backend in ("cv2", "pillow")
    }


class _Images:
    def __init__(self, paths, pipeline):
        self.paths, self.pipeline = paths, pipeline

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        instances = [dict(bbox=[10, 10, 200, 200], bbox_label=0, ignore_flag=0)]
        return self.pipeline(
            dict(img_path=str(self.paths[index]), img_id=index, instances=instances)
        )


def load(paths: list[Path], args, workers: int, pin: bool) -> float:
    """Return ms an image of the study's training pipeline through a data loader.

    The time starts with the first batch, when the workers are up.
    """
    from mmdet.utils import register_all_modules
    from mmengine.dataset import Compose, pseudo_collate
    from torch.utils.data import DataLoader

    register_all_modules()
    pipeline = Compose(
        [
            dict(type="LoadImageFromFile"),
            dict(type="LoadAnnotations", with_bbox=True),
            dict(type="Resize", scale=(1333, 800), keep_ratio=True),
            dict(type="RandomFlip", prob=0.5),
            dict(type="PackDetInputs"),
        ]
    )
    loader = DataLoader(
        _Images(paths, pipeline),
        args.batch_size,
        num_workers=workers,
        collate_fn=pseudo_collate,
        pin_memory=pin,
    )
    batches = iter(loader)
    next(batches)
    start = time.perf_counter()
    count = sum(len(batch["inputs"]) for batch in batches)
    return 1e3 * (time.perf_counter() - start) / count


if __name__ == "__main__":
    main()
