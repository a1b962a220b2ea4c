"""Where a study's data is: the four paths that were given, or what a folder was found to hold."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from fzmm.datasets.formats.folder_dataset import WHOLE, FolderDataset, FolderSplit
from fzmm.datasets.formats.read_folder import read_folder
from fzmm.datasets.formats.write_coco import coco_bytes, refuse_other, write_coco
from fzmm.datasets.subsets.validation_part import cut_validation, describe_cut
from fzmm.errors import UserError
from fzmm.study.study_options import PATHS, StudyOptions


@dataclasses.dataclass(frozen=True)
class StudyData:
    """The data of a study.

    Attributes:
        options: The study's, with the four paths filled in.
        converted: Annotation files that are still to be written.
        notes: What was taken for what.
    """

    options: StudyOptions
    converted: dict[Path, dict[str, Any]] = dataclasses.field(repr=False)
    notes: list[str]

    def refuse_other_files(self) -> None:
        """Refuse to replace files.

        Raises:
            UserError: If another file is where one is to be written.
        """
        for path, coco in self.converted.items():
            refuse_other(path, coco_bytes(coco), self.options.force)

    def write(self) -> None:
        """Write the converted annotation files."""
        for path, coco in self.converted.items():
            write_coco(path, coco, self.options.force)


def study_data(options: StudyOptions) -> StudyData:
    """Return where the data is; a folder is read, nothing is written yet.

    Raises:
        UserError: If the folder cannot be read, or has no part to validate on.
    """
    if options.data is None:
        return StudyData(options, {}, [])
    if any(getattr(options, name) is not None for name in PATHS):
        raise UserError("--data FOLDER: goes in place of the four paths; leave those out")
    dataset = read_folder(options.data, options.classes)
    train, val, notes = _halves(dataset, options)
    folder = options.subsets_dir
    files = {half: folder / f"{options.name}_{half}.json" for half in ("train", "val")}

    paths: dict[str, Path] = {}
    converted = {}
    for half, split in (("train", train), ("val", val)):
        paths[f"{half}_images"] = split.images
        paths[f"{half}_ann"] = split.ann_file or files[half]
        if split.ann_file is None:
            converted[files[half]] = split.coco

    notes = [f"{options.data} is taken as {dataset.format}", *dataset.notes, *notes]
    return StudyData(dataclasses.replace(options, **paths), converted, notes)


def _halves(
    dataset: FolderDataset, options: StudyOptions
) -> tuple[FolderSplit, FolderSplit, list[str]]:
    """Return the training and the validation part, and notes on the rest."""
    splits = dict(dataset.splits)
    whole = next(iter(splits)) if len(splits) == 1 else WHOLE
    train = splits.pop("train", None) or splits.pop(whole, None)
    val = splits.pop("val", None)
    if train is None:
        raise UserError(f"{options.data}: has no training part, only {', '.join(dataset.splits)}")
    notes = [f"the {name} part is left alone" for name in splits]

    if options.val_fraction is None and val is None:
        raise UserError(
            f"{options.data}: has no validation part; pass --val-fraction 0.2 to cut one"
        )
    if options.val_fraction is None:
        return train, val, notes
    if val is not None:
        raise UserError(
            f"--val-fraction {options.val_fraction:g}: {options.data} has a validation part; leave "
            "it out"
        )

    cut = cut_validation(train.coco, options.val_fraction, options.group_by)
    halves = tuple(FolderSplit(train.images, coco) for coco in (cut.train, cut.val))
    return *halves, [*notes, *describe_cut(cut)]
