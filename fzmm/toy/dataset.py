"""The embedded dataset: handwritten digits on cluttered photographs, in COCO format.

Its digits are scikit-learn's copy of the UCI "Optical Recognition of Handwritten Digits" test set
(1,797 real scans of 8 x 8 pixels), its backgrounds come from scikit-learn's two sample photographs.
The digits are split three ways, so that no scan is used twice: for the training images, for the
validation images and for pretraining a classifier (``benchmarks/pretrain_digits.py``).

    python -m fzmm.toy.dataset --out data/toy
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fzmm.errors import UserError, run_cli
from fzmm.utils.files import atomic_write

IMAGE_SIZE = 128
CLASSES = tuple(f"digit {digit}" for digit in range(10))
# Zipf's law: the k-th class is drawn with weight 1/k, the last a tenth of the first.
CLASS_WEIGHTS = tuple(1 / rank for rank in range(1, len(CLASSES) + 1))
SPLITS = {"pretrain": 0.5, "train": 0.35, "val": 0.15}
DIGIT_SIZES = (18, 60)  # pixels, drawn log-uniformly: COCO's small (< 32) and medium objects
EMPTY_SHARE = 0.04
MAX_OVERLAP = 0.1  # of the smaller box


@dataclass(frozen=True)
class Digits:
    """Scans of one split: ``images`` (n, 8, 8) float in [0, 1] and ``labels`` (n,) int."""

    images: np.ndarray
    labels: np.ndarray


def load_digits(split: str, seed: int = 0) -> Digits:
    """Return the scans of ``"pretrain"``, ``"train"`` or ``"val"``; the three share none."""
    from sklearn.datasets import load_digits as load

    data = load()
    shares = np.cumsum([0.0, *SPLITS.values()])
    position = list(SPLITS).index(split)
    rng = np.random.default_rng([seed, 0])
    chosen = []
    for label in range(len(CLASSES)):
        indices = np.flatnonzero(data.target == label)
        indices = indices[np.argsort(rng.random(len(indices)), kind="stable")]
        low, high = np.rint(shares[position : position + 2] * len(indices)).astype(int)
        chosen.append(indices[low:high])

    chosen = np.concatenate(chosen)
    return Digits(images=data.images[chosen] / 16.0, labels=data.target[chosen])


class DigitPainter:
    """Paints digits of one split onto crops of photographs.

    Args:
        split: Which scans to use.
        seed: Of the split and of everything drawn.
    """

    def __init__(self, split: str, seed: int = 0) -> None:
        from sklearn.datasets import load_sample_images

        self.digits = load_digits(split, seed)
        self.by_label = [
            np.flatnonzero(self.digits.labels == label) for label in range(len(CLASSES))
        ]
        self.photographs = [np.asarray(photo) for photo in load_sample_images().images]
        self.rng = np.random.default_rng([seed, 1 + list(SPLITS).index(split)])

    def background(self, size: int) -> np.ndarray:
        """Return a (size, size, 3) float crop of a photograph, with pieces of digits as clutter."""
        photo = self.photographs[self.rng.integers(len(self.photographs))]
        extent = int(self.rng.integers(size, min(photo.shape[:2]) + 1))
        top = int(self.rng.integers(photo.shape[0] - extent + 1))
        left = int(self.rng.integers(photo.shape[1] - extent + 1))
        crop = Image.fromarray(photo[top : top + extent, left : left + extent])
        canvas = np.asarray(crop.resize((size, size), Image.Resampling.BOX), dtype=np.float64)
        canvas = canvas * self.rng.uniform(0.4, 1.0) + self.rng.uniform(0, 40)
        for _ in range(int(self.rng.integers(0, 3))):
            self._scribble(canvas)
        return canvas

    def _scribble(self, canvas: np.ndarray) -> None:
        """Paint a quarter of some digit: a stroke that belongs to no class."""
        scan = self.digits.images[self.rng.integers(len(self.digits.images))]
        row, column = self.rng.integers(0, 2, 2) * 4
        mask = _enlarge(scan[row : row + 4, column : column + 4], int(self.rng.integers(6, 20)))
        limit = np.array(canvas.shape[:2]) - mask.shape + 1
        top, left = (int(value) for value in self.rng.integers(0, limit))
        self._blend(canvas, mask, top, left)

    def _blend(self, canvas: np.ndarray, mask: np.ndarray, top: int, left: int) -> None:
        area = canvas[top : top + mask.shape[0], left : left + mask.shape[1]]
        # ink lighter or darker than what it covers, of any hue
        ink = self.rng.uniform(170, 255, 3) if area.mean() < 120 else self.rng.uniform(0, 70, 3)
        area += (ink - area) * (mask * self.rng.uniform(0.85, 1.0))[..., None]

    def digit(self, label: int, size: int) -> np.ndarray:
        """Return the mask of a random scan of ``label``, ``size`` pixels high, cut to its ink."""
        index = self.rng.choice(self.by_label[label])
        scan = Image.fromarray((self.digits.images[index] * 255).astype(np.uint8))
        scan = scan.resize((64, 64), Image.Resampling.BICUBIC)
        scan = scan.rotate(self.rng.uniform(-15, 15), Image.Resampling.BICUBIC)
        # 8 x 8 scans are blurred when enlarged: steepen the edge of the ink
        mask = np.clip((np.asarray(scan, dtype=np.float64) / 255 - 0.2) * 2, 0, 1)
        rows, columns = np.flatnonzero((mask > 0.3).any(1)), np.flatnonzero((mask > 0.3).any(0))
        mask = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        width = max(4, round(size * mask.shape[1] / mask.shape[0]))
        return _enlarge(mask, size, width)

    def image(self, labels: Sequence[int]) -> tuple[np.ndarray, list[tuple[int, list[int]]]]:
        """Paint one image.

        Args:
            labels: The classes to place, in order; one that finds no free place is left out.

        Returns:
            The image, (128, 128, 3) uint8 RGB, and a list of (label, [x, y, width, height]).
        """
        canvas = self.background(IMAGE_SIZE)
        boxes: list[tuple[int, list[int]]] = []
        for label in labels:
            low, high = np.log(DIGIT_SIZES)
            mask = self.digit(label, round(float(np.exp(self.rng.uniform(low, high)))))
            height, width = mask.shape
            for _ in range(20):
                x = int(self.rng.integers(0, IMAGE_SIZE - width + 1))
                y = int(self.rng.integers(0, IMAGE_SIZE - height + 1))
                box = [x, y, width, height]
                if all(_overlap(box, other) <= MAX_OVERLAP for _, other in boxes):
                    self._blend(canvas, mask, y, x)
                    boxes.append((label, box))
                    break

        return _to_pixels(canvas), boxes

    def crop(self, label: int, size: int) -> np.ndarray:
        """Paint one digit that fills 55-95% of a (size, size, 3) uint8 RGB image."""
        canvas = self.background(size)
        mask = self.digit(label, round(size * self.rng.uniform(0.55, 0.95)))[:, :size]
        y, x = (int(self.rng.integers(0, size - extent + 1)) for extent in mask.shape)
        self._blend(canvas, mask, y, x)
        return _to_pixels(canvas)


def make_crops(count: int, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return digit crops for pretraining, classes equally frequent.

    Returns:
        ``(count, size, size, 3)`` uint8 RGB images and ``(count,)`` int64 labels.
    """
    painter = DigitPainter("pretrain", seed)
    labels = painter.rng.integers(0, len(CLASSES), count)
    return np.stack([painter.crop(int(label), size) for label in labels]), labels


def write_toy(out: Path, train: int = 800, val: int = 150, seed: int = 0) -> dict[str, Path]:
    """Write the detection dataset: ``train/``, ``val/`` and ``annotations/instances_*.json``.

    The same seed gives the same bytes. A split whose annotation file exists is left as it is: that
    file is written last, so it stands for the split being whole.

    Args:
        out: Folder to write to; made if it does not exist.
        train: Number of training images.
        val: Number of validation images.
        seed: Of the digits' split, the images and their contents.

    Returns:
        The annotation file of each split.
    """
    files = {}
    for split, count in (("train", train), ("val", val)):
        ann_file = files[split] = out / "annotations" / f"instances_{split}.json"
        if ann_file.exists():
            continue
        try:
            (out / split).mkdir(parents=True, exist_ok=True)
            ann_file.parent.mkdir(exist_ok=True)
            with atomic_write(ann_file) as file:
                json.dump(_paint_split(out / split, split, count, seed), file)
        except OSError as error:
            raise UserError(
                f"{error.filename or out}: {error.strerror}; free or change it"
            ) from None

    return files


def _paint_split(folder: Path, split: str, count: int, seed: int) -> dict:
    painter = DigitPainter(split, seed)
    weights = np.array(CLASS_WEIGHTS) / sum(CLASS_WEIGHTS)
    images, annotations = [], []
    for image_id in range(1, count + 1):
        empty = painter.rng.random() < EMPTY_SHARE
        number = 0 if empty else int(painter.rng.integers(1, 7))
        pixels, boxes = painter.image(painter.rng.choice(len(CLASSES), number, p=weights))
        name = f"{image_id:06d}.png"
        Image.fromarray(pixels).save(folder / name, compress_level=1)
        images.append(dict(id=image_id, file_name=name, width=IMAGE_SIZE, height=IMAGE_SIZE))
        for label, box in boxes:
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=image_id,
                    category_id=int(label) + 1,
                    bbox=box,
                    area=box[2] * box[3],
                    iscrowd=0,
                )
            )

    info = dict(description=f"fzmm toy digits, {split}, seed {seed}", version="1")
    categories = [dict(id=i + 1, name=name) for i, name in enumerate(CLASSES)]
    return dict(info=info, images=images, annotations=annotations, categories=categories)


def _enlarge(mask: np.ndarray, height: int, width: int | None = None) -> np.ndarray:
    image = Image.fromarray((np.clip(mask, 0, 1) * 255).astype(np.uint8))
    image = image.resize((width or height, height), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.float64) / 255


def _to_pixels(canvas: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def _overlap(a: list[int], b: list[int]) -> float:
    """Intersection of two boxes over the smaller one's area."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0) / min(a[2] * a[3], b[2] * b[3])


def main() -> None:
    """Write the dataset and say where."""
    parser = argparse.ArgumentParser(description="Write the embedded toy dataset in COCO format.")
    parser.add_argument("--out", type=Path, default=Path("data/toy"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train", type=int, default=800, help="training images")
    parser.add_argument("--val", type=int, default=150, help="validation images")
    args = parser.parse_args()
    for split, ann_file in write_toy(args.out, args.train, args.val, args.seed).items():
        print(f"{split}: {ann_file}")


if __name__ == "__main__":
    run_cli(main)
