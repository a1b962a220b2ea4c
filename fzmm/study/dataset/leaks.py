"""Finding validation images that are in training too."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from fzmm.datasets.subsets.image_groups import group_images
from fzmm.errors import UserError
from fzmm.study.dataset.dataset_split import DatasetSplit
from fzmm.study.dataset.near_copies import NearCopy, find_near_copies
from fzmm.utils.files import file_sha256

# Share of validation images that may nearly be in training. If one scenario knows them by heart and
# is 20 points better on them for it, and another is not, 2% of them make 0.4 points of mAP: the
# margin within which scenarios count as equal.
MOST_NEAR = 0.02
_SHOWN = 3  # pairs in a refusal


@dataclass(frozen=True)
class Leaks:
    """Validation images that are in training too.

    Attributes:
        notes: What was seen.
        near: Those that are there nearly.
    """

    notes: list[str]
    near: list[NearCopy]


def find_leaks(
    train: DatasetSplit,
    val: DatasetSplit,
    allow: bool,
    fingerprints: tuple[list[bytes], list[bytes]],
) -> Leaks:
    """Look for the same file, the same bytes under another name, or a near copy on both sides.

    Args:
        train: Training half.
        val: Validation half.
        allow: Note such images, in place of refusing them.
        fingerprints: Of the images of both.

    Raises:
        UserError: If a validation image is in training, or more than ``MOST_NEAR`` of them nearly
            are, unless that is allowed.
    """
    train_paths = [train.path_of(image) for image in train.coco["images"]]
    val_paths = [val.path_of(image) for image in val.coco["images"]]
    same = _same_content(train_paths, val_paths)
    notes = _same_name(train_paths, val_paths, same)
    if same:
        path, twin = same[0]
        text = (
            f"{len(same)} of {len(val_paths)} validation images are in training too: {path} is "
            f"{twin}"
        )
        if not allow:
            raise UserError(f"{text}; remove them from one of the two, or pass --allow-leak")
        notes.append(text)

    copied = {path for path, _ in same}
    near = [copy for copy in find_near_copies(*fingerprints) if val_paths[copy.val] not in copied]
    if near:
        notes.append(_describe_near(near, train_paths, val_paths, allow))
    return Leaks(notes, near)


def _same_name(
    train_paths: list[Path], val_paths: list[Path], same: list[tuple[Path, Path]]
) -> list[str]:
    leaked = {path.name for path, _ in same}
    names = {path.name for path in train_paths}
    same_name = [path.name for path in val_paths if path.name in names - leaked]
    if not same_name:
        return []
    return [
        f"{len(same_name)} validation images have the name of a training image, such as "
        f"{same_name[0]}; their contents differ"
    ]


def _describe_near(
    near: list[NearCopy], train_paths: list[Path], val_paths: list[Path], allow: bool
) -> str:
    """Return the note on near copies; refuse them if there are too many."""
    share = len(near) / len(val_paths)
    pairs = [f"{val_paths[copy.val]} and {train_paths[copy.train]}" for copy in near]
    most = len(near) if allow else _SHOWN
    shown = ", ".join(pairs[:most]) + (f" and {len(near) - most} more" * (len(near) > most))
    text = (
        f"{len(near)} of {len(val_paths)} validation images ({100 * share:.2g}%) nearly are in "
        "training: resized, saved anew or mirrored, or of one video"
    )
    if share > MOST_NEAR and not allow:
        raise UserError(
            f"{text}, more than {MOST_NEAR:.0%}: {shown}; keep them on one side (--group-by, where "
            "names tell), or pass --allow-leak, which lists them all and shows them in data.html"
        )
    return f"{text}: {shown}"


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
