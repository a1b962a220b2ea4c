"""Checking a dataset before hours are spent on it: what a training would stumble over or hide."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from fzmm.datasets.coco import read_annotations
from fzmm.errors import UserError
from fzmm.files import file_sha256


@dataclass(frozen=True)
class Split:
    """One half of a dataset.

    Attributes:
        ann_file: Annotation file.
        images: Folder of the images.
        coco: The file's content, checked.
    """

    ann_file: Path
    images: Path
    coco: dict[str, Any] = field(repr=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """Category names in the file's order, which is the order that MMDetection counts in."""
        return tuple(category["name"] for category in self.coco["categories"])

    @property
    def boxes(self) -> list[dict[str, Any]]:
        """Annotations that are boxes to learn: no crowd, some area, as MMDetection filters them."""
        return [
            item
            for item in self.coco["annotations"]
            if not item.get("iscrowd") and item["bbox"][2] >= 1 and item["bbox"][3] >= 1
        ]

    @property
    def images_with_boxes(self) -> int:
        """Images that training sees: MMDetection leaves out those without a box."""
        return len({item["image_id"] for item in self.boxes})

    def path_of(self, image: dict[str, Any]) -> Path:
        """Return an image's file."""
        return self.images / image["file_name"]


@dataclass(frozen=True)
class DataReport:
    """What was found.

    Attributes:
        train: Training half.
        val: Validation half.
        size: Median (width, height) of the images, pixels.
        notes: What is odd, but no reason not to train.
    """

    train: Split
    val: Split
    size: tuple[int, int]
    notes: list[str]

    def class_counts(self) -> list[tuple[str, int, int]]:
        """Return (class, boxes in training, boxes in validation), most frequent first."""
        counts = []
        for split in (self.train, self.val):
            names = {item["id"]: item["name"] for item in split.coco["categories"]}
            counts.append(Counter(names[item["category_id"]] for item in split.boxes))
        rows = [(name, counts[0][name], counts[1][name]) for name in self.train.classes]
        return sorted(rows, key=lambda row: -row[1])


def check_data(
    train_ann: str | os.PathLike,
    val_ann: str | os.PathLike,
    train_images: str | os.PathLike,
    val_images: str | os.PathLike,
    *,
    allow_leak: bool = False,
    progress: Callable[[Iterable, int, str], Iterable] | None = None,
) -> DataReport:
    """Check a dataset: its annotations, its images, and that the two halves share none.

    Args:
        train_ann: Training annotations, COCO format.
        val_ann: Validation annotations.
        train_images: Folder of the training images.
        val_images: Folder of the validation images.
        allow_leak: Note validation images that are also in training, in place of refusing them.
        progress: Wraps an iterable of known length, with a description, to show how far it is.

    Raises:
        UserError: At the first thing that training would fail at, or that would make its result
            meaningless; names file and place.
    """
    track = progress or (lambda items, total, description: items)
    train = _read(train_ann, train_images, "--train-images")
    val = _read(val_ann, val_images, "--val-images")
    notes = _compare_categories(train, val)
    for split in (train, val):
        if not split.boxes:
            raise UserError(f"{split.ann_file}: holds no box; there is nothing to learn or measure")
    sizes = []
    for split, name in ((train, "training"), (val, "validation")):
        found, wrong = _open_images(split, track, name)
        sizes += found
        notes += wrong
    notes += _find_leaks(train, val, allow_leak)
    for name, in_train, in_val in DataReport(train, val, (0, 0), []).class_counts():
        if not in_train or not in_val:
            where = "training" if not in_train else "validation"
            notes.append(f"class {name!r} has no box in {where}")
    size = (round(median(w for w, _ in sizes)), round(median(h for _, h in sizes)))
    return DataReport(train, val, size, notes)


def _read(ann_file: str | os.PathLike, images: str | os.PathLike, option: str) -> Split:
    split = Split(Path(ann_file), Path(images), read_annotations(ann_file))
    if not split.images.is_dir():
        raise UserError(f"{option} {images}: no such folder")
    for index, image in enumerate(split.coco["images"]):
        if not isinstance(image.get("file_name"), str) or not image["file_name"]:
            raise UserError(f"{ann_file}: images[{index}] has no `file_name`; give it one")
    for name, count in Counter(image["file_name"] for image in split.coco["images"]).items():
        if count > 1:
            raise UserError(f"{ann_file}: {count} images have the file_name {name}; keep one")
    for name, count in Counter(split.classes).items():
        if count > 1:
            raise UserError(f"{ann_file}: {count} categories are called {name!r}; rename them")
    return split


def _compare_categories(train: Split, val: Split) -> list[str]:
    ours, theirs = train.classes, val.classes
    if ours != theirs:
        missing = [name for name in ours if name not in theirs]
        extra = [name for name in theirs if name not in ours]
        if missing or extra:
            where = f"{train.ann_file} alone has" if missing else f"{val.ann_file} alone has"
            raise UserError(
                f"the categories of the two files differ: {where} {(missing or extra)[0]!r}; "
                "give both the same"
            )
        raise UserError(
            f"{val.ann_file}: its categories stand in another order than in {train.ann_file}, and "
            "MMDetection counts classes by their place; write them in the same order"
        )
    ids = [[item["id"] for item in split.coco["categories"]] for split in (train, val)]
    return [] if ids[0] == ids[1] else ["category ids of the two files differ; the names agree"]


def _open_images(split: Split, track: Callable, name: str) -> tuple[list[tuple[int, int]], list]:
    """Decode every image; return sizes, and notes on those that the file describes wrongly."""
    paths = [str(split.path_of(image)) for image in split.coco["images"]]
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise UserError(
            f"{missing[0]}: no such image; {len(missing)} of {len(paths)} images of "
            f"{split.ann_file} are missing"
        )
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoders let other threads run
        results = list(track(pool.map(_decode, paths), len(paths), f"{name} images"))
    sizes, wrong, turned = [], [], 0
    for path, image, (size, error) in zip(paths, split.coco["images"], results, strict=True):
        if error:
            raise UserError(f"{path}: cannot be opened as an image ({error}); replace or remove it")
        sizes.append(size)
        said = (image.get("width"), image.get("height"))
        if None not in said and said != size:
            wrong.append(f"{path} is {size[0]} x {size[1]}, not {said[0]} x {said[1]}")
            turned += said == size[::-1]
    if not wrong:
        return sizes, []
    note = f"{len(wrong)} images are not of the size that {split.ann_file} says: {wrong[0]}"
    return sizes, [note + (f"; {turned} are turned (EXIF orientation?)" if turned else "")]


def _decode(path: str) -> tuple[tuple[int, int], str | None]:
    """Return an image's size, and why it cannot be read to its end."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(path) as image:
            size = image.size
            # A JPEG is then read whole but unpacked at an eighth of its size: much faster.
            image.draft("RGB", (max(1, size[0] // 8), max(1, size[1] // 8)))
            image.load()
            return size, None
    except Exception as error:  # whatever a decoder raises on a broken file
        return (0, 0), str(error).splitlines()[0] if str(error) else type(error).__name__


def _find_leaks(train: Split, val: Split, allow: bool) -> list[str]:
    """Find validation images that are in training too: the same file, or the same bytes."""
    train_paths = [train.path_of(image) for image in train.coco["images"]]
    val_paths = [val.path_of(image) for image in val.coco["images"]]
    by_size = defaultdict(list)
    for path in train_paths:
        by_size[path.stat().st_size].append(path)
    # Only files of equal size can have equal bytes: few need to be read.
    hashes: dict[Path, str] = {}
    by_hash: dict[str, Path] = {}
    leaks = []
    for path in val_paths:
        for other in by_size.get(path.stat().st_size, []):
            if other not in hashes:
                hashes[other] = file_sha256(other)
                by_hash.setdefault(hashes[other], other)
        if path.stat().st_size in by_size:
            twin = by_hash.get(file_sha256(path))
            if twin is not None:
                leaks.append((path, twin))
    notes = []
    leaked = {path.name for path, _ in leaks}
    names = {path.name for path in train_paths}
    same_name = [path.name for path in val_paths if path.name in names - leaked]
    if same_name:
        notes.append(
            f"{len(same_name)} validation images have the name of a training image, such as "
            f"{same_name[0]}; their contents differ"
        )
    if leaks:
        path, twin = leaks[0]
        text = (
            f"{len(leaks)} of {len(val_paths)} validation images are in training too: "
            f"{path} is {twin}"
        )
        if not allow:
            raise UserError(f"{text}; remove them from one of the two, or pass --allow-leak")
        notes.append(text)
    return notes
