"""A folder of YOLO: images, and a text file of boxes or polygons for each."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fzmm.datasets.formats.folder_dataset import (
    CocoBuilder,
    FolderDataset,
    FolderSplit,
    count_notes,
    describe,
)
from fzmm.datasets.formats.image_files import images_below, loaded_size
from fzmm.datasets.formats.text_lines import numbered_lines
from fzmm.datasets.formats.yolo_images import find_arrangement, images_of_yaml, label_of
from fzmm.datasets.formats.yolo_label import read_label
from fzmm.datasets.formats.yolo_yaml import YoloYaml, find_yamls
from fzmm.errors import UserError

_NAME_FILES = ("classes.txt", "obj.names", "_darknet.labels")  # the last by Roboflow


def find_yolo(folder: Path) -> list[Path]:
    """Return what describes a YOLO dataset: its YAML files, else its folders of images."""
    with_places = [file.path for file in find_yamls(folder) if file.places]
    return with_places or list(find_arrangement(folder).values())


def read_yolo(folder: Path, classes: Sequence[str] | None = None) -> FolderDataset:
    """Read a folder by its YAML file, or by the arrangement of its folders where it has none.

    Args:
        folder: The folder.
        classes: Class names in the order of their numbers, in place of the file's.

    Raises:
        UserError: If a line is broken, the class names are unknown, or there are two such files.
    """
    file = _only(find_yamls(folder), folder)
    if file is not None and file.places:
        images = {split: images_of_yaml(file, split) for split in file.places}
        source = file.path.name
    else:
        places = find_arrangement(folder)
        images = {split: images_below(place) for split, place in places.items()}
        source = "labels"

    parts = {path.parent: None for paths in images.values() for path in paths}
    names, origin = _class_names([folder, *parts], file, classes)

    counts: Counter[str] = Counter()
    splits, notes = {}, []
    if "test" in images and not any(label_of(path).is_file() for path in images["test"]):
        notes.append(f"test: left out, {len(images.pop('test')):,} images and no label file")

    for split, paths in images.items():
        splits[split] = _read_split(split, paths, names, file, counts)
        shown = os.path.relpath(splits[split].images, folder)
        notes.append(describe(source, split, splits[split].coco, f"{shown}/"))

    used = {os.path.abspath(path) for paths in images.values() for path in paths}
    present = {os.path.abspath(path) for path in images_below(folder)}
    counts["images outside these parts left out"] = len(present - used)
    counts["label files without an image left out"] = _spare_labels(images)
    notes.append(f"{len(names)} class names from {origin}")
    return FolderDataset("YOLO", splits, [*notes, *count_notes(counts)])


def _only(files: list[YoloYaml], folder: Path) -> YoloYaml | None:
    if len(files) > 1:
        names = " and ".join(file.path.name for file in files)
        raise UserError(f"{folder}: {names} both describe a dataset; keep one")
    return files[0] if files else None


def _class_names(
    folders: list[Path], file: YoloYaml | None, classes: Sequence[str] | None
) -> tuple[list[str], str]:
    if classes:
        return list(classes), "--classes"
    if file is not None and file.classes:
        return file.classes, file.path.name
    for place in (folder / name for folder in folders for name in _NAME_FILES):
        if place.is_file():
            return [line for _, line in numbered_lines(place)], place.name
    raise UserError(
        f"{folders[0]}: nothing there names the classes; give them with --classes A B ..."
    )


def _read_split(
    split: str,
    images: list[Path],
    classes: list[str],
    file: YoloYaml | None,
    counts: Counter[str],
) -> FolderSplit:
    if not images:
        raise UserError(f"the {split} part of the YOLO folder holds no image; add them")
    root = Path(os.path.commonpath([image.parent for image in images]))
    labels = _labels(images)
    builder = CocoBuilder(classes)

    for image, label in labels.items():
        width, height = loaded_size(image)
        builder.add_image(image.relative_to(root).as_posix(), (width, height))
        if not label.is_file():
            counts["images without a label file taken as empty"] += 1
            continue
        keypoints = file is not None and file.has_keypoints
        for index, (x, y, w, h) in read_label(label, len(classes), keypoints, counts):
            builder.add_box(index, (x * width, y * height, w * width, h * height))

    if not builder.annotations:
        raise UserError(
            f"{root}: no label file, such as {next(iter(labels.values()))}, holds a box; add them"
        )

    return FolderSplit(root, builder.coco())


def _labels(images: list[Path]) -> dict[Path, Path]:
    """Return the label file of each image."""
    owners: dict[Path, Path] = {}
    for image in images:
        label = label_of(image)
        if label in owners:
            raise UserError(f"{label}: is of both {owners[label].name} and {image.name}; keep one")
        owners[label] = image
    return {image: label for label, image in owners.items()}


def _spare_labels(images: dict[str, list[Path]]) -> int:
    """Count the files in the folders of the labels that belong to no image."""
    labels = {label_of(image) for paths in images.values() for image in paths}
    folders = {label.parent for label in labels}
    files = {path for folder in folders if folder.is_dir() for path in folder.glob("*.txt")}
    return len({path for path in files if path.name != _NAME_FILES[0]} - labels)
