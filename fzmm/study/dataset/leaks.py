"""Finding validation images that are in training too."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from fzmm.datasets.subsets.image_groups import group_images
from fzmm.errors import UserError
from fzmm.study.dataset.dataset_split import DatasetSplit
from fzmm.utils.files import file_sha256


def find_leaks(train: DatasetSplit, val: DatasetSplit, allow: bool) -> list[str]:
    """Look for the same file, or the same bytes under another name, on both sides.

    Args:
        train: Training half.
        val: Validation half.
        allow: Note such images, in place of refusing them.

    Returns:
        Notes on what was seen.

    Raises:
        UserError: If a validation image is in training, unless that is allowed.
    """
    train_paths = [train.path_of(image) for image in train.coco["images"]]
    val_paths = [val.path_of(image) for image in val.coco["images"]]
    leaks = _same_content(train_paths, val_paths)

    notes = []
    leaked = {path.name for path, _ in leaks}
    names = {path.name for path in train_paths}
    same_name = [path.name for path in val_paths if path.name in names - leaked]
    if same_name:
        notes.append(
            f"{len(same_name)} validation images have the name of a training image, such as "
            f"{same_name[0]}; their contents differ"
        )

    if not leaks:
        return notes

    path, twin = leaks[0]
    text = (
        f"{len(leaks)} of {len(val_paths)} validation images are in training too: {path} is {twin}"
    )
    if not allow:
        raise UserError(f"{text}; remove them from one of the two, or pass --allow-leak")

    return [*notes, text]


def find_group_leaks(
    train: DatasetSplit, val: DatasetSplit, group_by: str | None, allow: bool
) -> list[str]:
    """Look for groups, such as patients, that have images on both sides.

    Args:
        train: Training half.
        val: Validation half.
        group_by: See ``fzmm.datasets.subsets.image_groups``; nothing is looked for if None.
        allow: Note such groups, in place of refusing them.

    Returns:
        Notes on what was seen.

    Raises:
        UserError: If there are some, unless that is allowed.
    """
    if group_by is None:
        return []
    names = [[image["file_name"] for image in split.coco["images"]] for split in (train, val)]
    groups = group_images([*names[0], *names[1]], group_by)
    shared = groups.on_both_sides(len(names[0]))
    if not shared:
        return []
    text = (
        f"--group-by {group_by}: {len(shared)} of {len(groups.names)} groups have images both in "
        f"training and in validation, such as {shared[0]!r}"
    )
    if not allow:
        raise UserError(f"{text}; move them to one side, or pass --allow-leak")
    return [text]


def _same_content(train_paths: list[Path], val_paths: list[Path]) -> list[tuple[Path, Path]]:
    """Return validation images with a training image of the same bytes."""
    by_size = defaultdict(list)
    for path in train_paths:
        by_size[path.stat().st_size].append(path)

    by_hash: dict[str, Path] = {}
    hashed_sizes = set()
    pairs = []
    for path in val_paths:
        size = path.stat().st_size
        if size not in by_size:
            continue  # only files of equal size can have equal bytes: few need to be read
        if size not in hashed_sizes:
            hashed_sizes.add(size)
            for other in by_size[size]:
                by_hash.setdefault(file_sha256(other), other)
        twin = by_hash.get(file_sha256(path))
        if twin is not None:
            pairs.append((path, twin))

    return pairs
