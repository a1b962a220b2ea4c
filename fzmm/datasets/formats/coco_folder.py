"""A folder of COCO annotations: the original's layout, that of Roboflow's exports, or one file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fzmm.datasets.coco import read_annotations, read_bytes
from fzmm.datasets.formats.folder_dataset import (
    WHOLE,
    FolderDataset,
    FolderSplit,
    count_notes,
    describe,
    split_name,
)
from fzmm.datasets.formats.image_files import images_below
from fzmm.errors import UserError

_ROBOFLOW = "_annotations.coco.json"


def find_coco(folder: Path) -> list[Path]:
    """Return the annotation files of a folder; none if it is no COCO folder."""
    return [
        *sorted(folder.glob("annotations/instances_*.json")),
        *sorted(folder.glob(_ROBOFLOW)),
        *sorted(folder.glob(f"*/{_ROBOFLOW}")),
    ]


def find_other_coco(folder: Path) -> list[Path]:
    """Return files of other names that hold a COCO object, where nothing else is recognised."""
    paths = [*sorted(folder.glob("*.json")), *sorted(folder.glob("annotations/*.json"))]
    return [path for path in paths if _may_be_coco(path)]


def _may_be_coco(path: Path) -> bool:
    try:
        content = read_bytes(path)
    except UserError:
        return False
    return all(key in content for key in (b'"images"', b'"annotations"', b'"categories"'))


def read_coco(folder: Path) -> FolderDataset:
    """Read ``annotations/instances_*.json``, or ``_annotations.coco.json`` beside the images.

    Where there is neither, files of other names that hold a COCO object.

    Nothing of the files is changed but for Roboflow's root class, which no box has.

    Raises:
        UserError: If a file is broken, or a part of the dataset or its images are there twice.
    """
    files = _by_split(folder)
    contents = {name: read_annotations(path) for name, path in files.items()}
    root = _root_class(list(contents.values()))
    notes, splits = [], {}
    for name, path in files.items():
        coco = contents[name]
        if root is not None:
            coco = _without_class(coco, root)
        images = path.parent if path.name == _ROBOFLOW else _image_folder(folder, path, name, coco)
        splits[name] = FolderSplit(images, coco, path if root is None else None)
        source, shown = path.relative_to(folder), images.relative_to(folder)
        notes.append(describe(str(source), name, coco, f"{shown}/"))

    if root is not None:
        notes.append(f"class {root[1]!r}, the root that Roboflow adds and no box has, is left out")
    notes += count_notes({"images that no annotation file names left out": _unnamed(splits)})
    return FolderDataset("COCO", splits, notes)


def _unnamed(splits: dict[str, FolderSplit]) -> int:
    present = {path for split in splits.values() for path in images_below(split.images)}
    named = {
        split.images / str(image.get("file_name"))
        for split in splits.values()
        for image in split.coco["images"]
    }
    return len(present - named)


def _by_split(folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in find_coco(folder) or find_other_coco(folder):
        name = _split_of(folder, path)
        if name in files:
            raise UserError(
                f"{folder}: both {files[name].relative_to(folder)} and {path.relative_to(folder)} "
                f"may be the {name} part; keep one, or give --train-ann and the other three paths"
            )
        files[name] = path
    return files


def _split_of(folder: Path, path: Path) -> str:
    if path.name != _ROBOFLOW and not path.match("annotations/instances_*.json"):
        words = map(split_name, re.split(r"[^A-Za-z0-9]+", path.stem))
        return next(filter(None, words), WHOLE)
    if path.name != _ROBOFLOW:
        text = path.stem.removeprefix("instances_")
    elif path.parent == folder:
        return WHOLE
    else:
        text = path.parent.name
    return split_name(text) or (WHOLE if text == "default" else text)


def _image_folder(folder: Path, ann_file: Path, split: str, coco: dict[str, Any]) -> Path:
    """Return the folder that holds the first image that an annotation file names."""
    first = coco["images"][0].get("file_name")
    if not isinstance(first, str) or not first:
        raise UserError(f"{ann_file}: images[0] has no `file_name`; give it one")
    places = [folder, folder / "images"]
    for parent in tuple(places):
        if parent.is_dir():
            places += [p for p in sorted(parent.iterdir()) if p.is_dir() and _fits(p.name, split)]

    stem = ann_file.stem.removeprefix("instances_")
    places += [folder / stem, folder / "images" / stem]

    holding = {place.resolve(): place for place in places if _is_file(place / first)}
    if not holding:
        raise UserError(
            f"{ann_file}: its first image {first} is neither in {folder}, nor in images/, nor in a "
            f"folder {stem}/ of them; put the images there, or give the four paths"
        )
    if len(holding) > 1:
        both = " and ".join(str(place.relative_to(folder)) for place in list(holding.values())[:2])
        raise UserError(
            f"{ann_file}: its first image {first} is in {both}; keep one, or give the four paths"
        )

    return next(iter(holding.values()))


def _fits(name: str, split: str) -> bool:
    return split_name(name) == split


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long for a file, or with a null byte
        return False


def _root_class(contents: list[dict[str, Any]]) -> tuple[int, str] | None:
    """Return id and name of the class that Roboflow puts above all others, if no box has it."""
    roots = {_root_of(coco["categories"]) for coco in contents}
    root = roots.pop()
    if roots or root is None:
        return None
    for coco in contents:
        if any(annotation["category_id"] == root[0] for annotation in coco["annotations"]):
            return None
    return root


def _root_of(categories: list[dict[str, Any]]) -> tuple[int, str] | None:
    roots = [category for category in categories if category.get("supercategory") == "none"]
    others = [category for category in categories if category.get("supercategory") != "none"]
    if len(roots) != 1 or not others:
        return None
    name = roots[0]["name"]
    above_all = all(other.get("supercategory") == name for other in others)
    return (roots[0]["id"], name) if above_all else None


def _without_class(coco: dict[str, Any], root: tuple[int, str]) -> dict[str, Any]:
    kept = [category for category in coco["categories"] if category["id"] != root[0]]
    return {**coco, "categories": kept}
