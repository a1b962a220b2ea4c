"""A folder of data, whatever its format: recognised, read, and told what it was taken for.

The readers are our own. globox 2.9 reads the same formats in one class for all, but keeps neither
crowds nor masks nor ids of COCO nor VOC's ``difficult``, knows neither splits nor ``data.yaml``,
and names no line of what it cannot read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from fzmm.datasets.coco import check_annotations
from fzmm.datasets.formats.coco_folder import find_coco, find_other_coco, read_coco
from fzmm.datasets.formats.folder_dataset import FolderDataset, check_classes
from fzmm.datasets.formats.voc_folder import find_voc, read_voc
from fzmm.datasets.formats.yolo_folder import find_yolo, read_yolo
from fzmm.errors import UserError

FORMATS: dict[str, tuple[Callable[[Path], list[Path]], Callable[..., FolderDataset]]] = {
    "COCO": (find_coco, read_coco),
    "YOLO": (find_yolo, read_yolo),
    "Pascal VOC": (find_voc, read_voc),
}
_LOOKED_FOR = (
    "annotations/instances_*.json, _annotations.coco.json or another JSON file (COCO), data.yaml, "
    "images/ and labels/, or text files beside images (YOLO), Annotations/*.xml and JPEGImages/, "
    "or XML files beside images (Pascal VOC)"
)


def read_folder(folder: str | os.PathLike, classes: Sequence[str] | None = None) -> FolderDataset:
    """Read a folder of COCO, YOLO or Pascal VOC data.

    Args:
        folder: The folder, or the only folder in it that holds data.
        classes: Names of YOLO's classes, in the order of their numbers.

    Raises:
        UserError: If it holds none or several of the formats, or one that is broken; one line with
            the file and the line.
    """
    place, kind = _recognise(Path(folder))
    if classes is not None:
        if kind != "YOLO":
            raise UserError(f"--classes: {place} is {kind}, which names its classes; leave it out")
        check_classes(classes, "--classes")

    try:
        read = FORMATS[kind][1]
        dataset = read(place) if classes is None else read(place, classes)
    except OSError as error:
        raise UserError(f"{error.filename or place}: cannot be read ({error.strerror})") from None

    for split in dataset.splits.values():
        check_classes([category["name"] for category in split.coco["categories"]], str(place))
        if split.ann_file is None:
            check_annotations(split.coco, str(place))

    return dataset


def _recognise(folder: Path) -> tuple[Path, str]:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the folder of the data")
    candidates = _candidates(folder)
    if not candidates and find_other_coco(folder):
        candidates = [(folder, "COCO")]
    if not candidates:  # an archive that was unpacked into a folder of its own
        inner = sorted(path for path in folder.iterdir() if path.is_dir())
        candidates = [candidate for path in inner for candidate in _candidates(path)]
    if not candidates:
        raise UserError(f"{folder}: no format is recognised; looked for {_LOOKED_FOR}")
    if len(candidates) > 1:
        (place, kind), (other, second) = candidates[:2]
        raise UserError(
            f"{folder}: may be {kind} ({place}) or {second} ({other}); keep one of them there, or "
            "give a folder that holds one"
        )

    return candidates[0]


def _candidates(folder: Path) -> list[tuple[Path, str]]:
    return [(folder, name) for name, (find, _) in FORMATS.items() if find(folder)]
