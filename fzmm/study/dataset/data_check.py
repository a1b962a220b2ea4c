"""Checking a dataset before hours are spent on it: what a training would stumble over or hide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from fzmm.errors import UserError
from fzmm.study.dataset.dataset_split import DatasetSplit, read_split
from fzmm.study.dataset.expected_error import ExpectedError, expected_error
from fzmm.study.dataset.image_check import Progress, check_images
from fzmm.study.dataset.leaks import find_group_leaks, find_leaks
from fzmm.study.dataset.near_copies import NearCopy
from fzmm.study.study_options import StudyOptions


@dataclass(frozen=True)
class DataReport:
    """What was found.

    Attributes:
        train: Training half.
        val: Validation half.
        size: Median (width, height) of the images, pixels.
        notes: What is odd, but no reason not to train.
        near_copies: Validation images that nearly are in training.
    """

    train: DatasetSplit
    val: DatasetSplit
    size: tuple[int, int]
    notes: list[str]
    near_copies: list[NearCopy]

    @cached_property
    def expected_error(self) -> ExpectedError:
        """How exact a mAP on the validation images will be."""
        return expected_error(self.val)

    def class_counts(self) -> list[tuple[str, int, int]]:
        """Return (class, boxes in training, boxes in validation), most frequent first."""
        return class_counts(self.train, self.val)


def check_data(
    options: StudyOptions,
    progress: Progress | None = None,
    converted: Mapping[Path, dict[str, Any]] | None = None,
) -> DataReport:
    """Check a dataset: its annotations, its images, and that the two halves share none.

    Args:
        options: The study's; files, folders and ``allow_leak`` are read.
        progress: Wraps an iterable of known length, with a description, to show how far it is.
        converted: Annotation files that are still to be written.

    Raises:
        UserError: At the first thing that training would fail at, or that would make its result
            meaningless; names file and place.
    """
    progress = progress or (lambda steps, total, description: steps)
    train, val = (
        read_split(ann_file, images, option, (converted or {}).get(Path(ann_file)))
        for ann_file, images, option in (
            (options.train_ann, options.train_images, "--train-images"),
            (options.val_ann, options.val_images, "--val-images"),
        )
    )

    notes = _compare_categories(train, val)
    notes += find_group_leaks(train, val, options.group_by, options.allow_leak)
    for split in (train, val):
        if not split.boxes:
            raise UserError(f"{split.ann_file}: holds no box; there is nothing to learn or measure")

    train_images, train_notes = check_images(train, "training images", progress)
    val_images, val_notes = check_images(val, "validation images", progress)
    fingerprints = tuple(
        [image.fingerprint for image in half] for half in (train_images, val_images)
    )
    leaks = find_leaks(train, val, options.allow_leak, fingerprints)
    notes += [*train_notes, *val_notes, *leaks.notes]

    for name, in_train, in_val in class_counts(train, val):
        if not in_train or not in_val:
            where = "training" if not in_train else "validation"
            notes.append(f"class {name!r} has no box in {where}")

    widths, heights = zip(*(image.loaded for image in [*train_images, *val_images]), strict=True)
    size = (round(median(widths)), round(median(heights)))
    return DataReport(train, val, size, notes, leaks.near)


def class_counts(train: DatasetSplit, val: DatasetSplit) -> list[tuple[str, int, int]]:
    """Return (class, boxes in training, boxes in validation), most frequent first."""
    counts = []
    for split in (train, val):
        names = {category["id"]: category["name"] for category in split.coco["categories"]}
        counts.append(Counter(names[box["category_id"]] for box in split.boxes))
    rows = [(name, counts[0][name], counts[1][name]) for name in train.classes]
    return sorted(rows, key=lambda row: -row[1])


def _compare_categories(train: DatasetSplit, val: DatasetSplit) -> list[str]:
    ours, theirs = train.classes, val.classes
    missing = [name for name in ours if name not in theirs]
    extra = [name for name in theirs if name not in ours]
    if missing or extra:
        owner = train.ann_file if missing else val.ann_file
        raise UserError(
            f"the categories of the two files differ: {owner} alone has {(missing or extra)[0]!r}; "
            "give both the same"
        )

    if ours != theirs:
        raise UserError(
            f"{val.ann_file}: its categories stand in another order than in {train.ann_file}, and "
            "MMDetection counts classes by their place; write them in the same order"
        )

    ids = [[category["id"] for category in split.coco["categories"]] for split in (train, val)]
    return [] if ids[0] == ids[1] else ["category ids of the two files differ; the names agree"]
