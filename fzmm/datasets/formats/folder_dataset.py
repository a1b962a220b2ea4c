"""What a folder holds, in the one shape that every format is read into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fzmm.errors import UserError

WHOLE = "all"  # the one part of a folder that is not split


@dataclass(frozen=True)
class FolderSplit:
    """One part of a dataset.

    Attributes:
        images: Folder that its ``file_name`` start from.
        coco: Its COCO object.
        ann_file: The file that holds just this object already, if there is one.
    """

    images: Path
    coco: dict[str, Any] = field(repr=False)
    ann_file: Path | None = None


@dataclass(frozen=True)
class FolderDataset:
    """A dataset as it was found in a folder.

    Attributes:
        format: Name of its format.
        splits: Its parts: ``train``, ``val``, ``test``, or ``all`` where it is not split.
        notes: What was taken for what, and what was left out, by count.
    """

    format: str
    splits: dict[str, FolderSplit]
    notes: list[str]


class CocoBuilder:
    """Collects a COCO object.

    Args:
        classes: Names in the order of their ids, which start at 1 as COCO's do.
    """

    def __init__(self, classes: Sequence[str]):
        self.classes = list(classes)
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []

    def add_image(self, file_name: str, size: tuple[int, int]) -> None:
        """Add an image of (width, height) pixels."""
        require_text(file_name, "the image's name")
        width, height = size
        number = len(self.images) + 1
        self.images.append(dict(id=number, file_name=file_name, width=width, height=height))

    def add_box(self, label: int, box: Sequence[float], crowd: bool = False) -> None:
        """Add a box (x, y, width, height in pixels) of the last image."""
        annotation = dict(
            id=len(self.annotations) + 1,
            image_id=len(self.images),
            category_id=label + 1,
            bbox=list(box),
            area=box[2] * box[3],
            iscrowd=int(crowd),
        )
        self.annotations.append(annotation)

    def coco(self) -> dict[str, Any]:
        """Return the object."""
        categories = [dict(id=index + 1, name=name) for index, name in enumerate(self.classes)]
        return dict(images=self.images, annotations=self.annotations, categories=categories)


def split_name(text: str) -> str | None:
    """Return the part that a file's or folder's name stands for: ``valid`` and ``val2017`` are val.

    ``trainval`` is of neither half.
    """
    lower = text.lower()
    if lower.startswith("trainval"):
        return None
    return next((name for name in ("train", "val", "test") if lower.startswith(name)), None)


def describe(source: str, split: str, coco: dict[str, Any], images: str) -> str:
    """Return the note that says what was taken for a part of the dataset."""
    return (
        f"{split}: {source} with the images in {images}: {len(coco['images']):,} images, "
        f"{len(coco['annotations']):,} boxes"
    )


def count_notes(counts: dict[str, int]) -> list[str]:
    """Return a note for each thing that happened at all: ``3 boxes without area left out``."""
    return [f"{count:,} {text}" for text, count in counts.items() if count]


def check_classes(classes: Sequence[str], source: str) -> None:
    """Refuse class names that are empty or stand twice.

    Raises:
        UserError: Naming ``source`` and the class.
    """
    if not classes:
        raise UserError(f"{source}: names no class; give at least one")
    seen: set[str] = set()
    for index, name in enumerate(classes):
        if not name.strip():
            raise UserError(f"{source}: class {index} has no name; give it one")
        require_text(name, f"{source}: class {index}")
        if name in seen:
            raise UserError(f"{source}: class {name!r} stands twice; give each its own name")
        seen.add(name)


def require_text(name: str, place: str) -> None:
    """Refuse bytes of a file name, or halves of a character, that JSON cannot hold.

    Raises:
        UserError: If there are some.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UserError(f"{place}: {name!r} is no text in UTF-8; rename it") from None
