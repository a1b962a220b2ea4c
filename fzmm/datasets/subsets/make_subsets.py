"""Class-stratified subsets of a COCO annotation file."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from fzmm.datasets.annotation_file import AnnotationFile
from fzmm.datasets.subsets.deviations import guess_fraction, measure
from fzmm.datasets.subsets.figures import draw_class_shares, draw_instances
from fzmm.datasets.subsets.image_groups import ImageGroups, describe_groups, group_images
from fzmm.datasets.subsets.outputs import appear_together
from fzmm.datasets.subsets.plan import (
    DEFAULT_DISJOINT,
    DEFAULT_SUBSETS,
    Plan,
    Subset,
    cells_of,
    make_plan,
    parse_number,
    parse_subset,
)
from fzmm.datasets.subsets.search.group_selection import choose_groups
from fzmm.datasets.subsets.search.problem import Problem
from fzmm.datasets.subsets.search.selection import choose
from fzmm.datasets.subsets.strata import STRATIFY, AnnotationTable, Strata, count_strata, tabulate
from fzmm.datasets.subsets.subset_page import write_page
from fzmm.errors import UserError
from fzmm.version import __version__

SUMMARY = "summary.json"
PAGE = "README.md"
FIGURES = ("figure2_instances.png", "figure7_class_shares.png")


def select_image_ids(
    coco: dict[str, Any], num_images: int, seed: int = 0, groups: ImageGroups | None = None
) -> list[int]:
    """Choose a stratified sample of a loaded annotation file's images.

    Args:
        coco: A checked COCO object, as ``read_annotations`` returns it.
        num_images: How many images to choose; all of them if there are no more.
        seed: Seed of the choice.
        groups: Choose whole groups, of about as many images together.

    Returns:
        Ids of the chosen images in the file's order.

    Raises:
        ValueError: If ``num_images`` is less than 1.
        UserError: If groups leave nothing to choose.
    """
    images = coco["images"]
    if num_images < 1:
        raise ValueError(f"num_images must be at least 1, not {num_images}")
    if num_images >= len(images):
        return [image["id"] for image in images]
    share = Fraction(num_images, len(images))
    plan = Plan([Subset("sample", num_images, share)], disjoint=[], nested=[])
    chosen = select(count_strata(tabulate(coco)), plan, seed, groups=groups)[:, 0]
    return [images[index]["id"] for index in np.flatnonzero(chosen)]


def select(
    strata: Strata,
    plan: Plan,
    seed: int = 0,
    progress: Callable[..., None] | None = None,
    groups: ImageGroups | None = None,
) -> np.ndarray:
    """Choose the images of every subset of a plan.

    Args:
        strata: What to keep.
        plan: The subsets.
        seed: Seed of the choice.
        progress: Called with a line that says what is being done, and ``passing=True`` for news
            that need not stay.
        groups: Images that belong together: a subset has all of them or none, and disjoint ones
            share no group. Numbers of images are then as near to the plan's as groups allow.

    Returns:
        Membership, bool ``(images, subsets)``.

    Raises:
        UserError: If the plan cannot be fulfilled.
    """
    say = progress or (lambda line, passing=False: None)
    images = strata.counts.shape[0]
    chosen = np.zeros((images, len(plan.subsets)), dtype=bool)
    # All sizes are found possible before the first search begins.
    parts = [(part, *cells_of(plan, part, images)) for part in plan.components()]

    for part, cells, sizes in parts:
        names = ", ".join(plan.subsets[index].name for index in part)
        say(f"choosing images: {names}")
        problem = Problem(
            counts=strata.counts,
            kinds=strata.kinds,
            fractions=[plan.subsets[index].fraction for index in part],
            cells=cells,
            sizes=sizes,
        )

        def report(number: int, left: int, names: str = names) -> None:
            say(f"choosing images: {names}: round {number}, {left} counts to repair", passing=True)

        if groups is None:
            chosen[:, part] = choose(problem, seed, progress=report)
        else:
            chosen[:, part] = choose_groups(problem, groups, seed, progress=report)

    if groups is not None:
        _refuse_empty(plan, chosen, groups)
    return chosen


def make_subsets(
    ann_file: str | os.PathLike,
    out_dir: str | os.PathLike | None = None,
    subsets: Sequence[str] = DEFAULT_SUBSETS,
    disjoint: Sequence[str] | None = None,
    nested: Sequence[str] = (),
    stratify: Sequence[str] = STRATIFY,
    seed: int = 0,
    force: bool = False,
    command: Sequence[str] = (),
    progress: Callable[..., None] | None = None,
    group_by: str | None = None,
) -> dict[str, Any]:
    """Cut an annotation file into subsets that keep its statistics.

    Args:
        ann_file: COCO instances file, plain or gzipped.
        out_dir: Folder of the outputs, by default ``fz`` beside the file.
        subsets: ``NAME=FRACTION`` or ``NAME=IMAGES``, by default those of the thesis.
        disjoint: Groups ``A,B,...`` of subsets that share no image; by default, with the default
            subsets, the three quarters.
        nested: Chains ``A,B,...`` in which each contains the next.
        stratify: What to keep, of ``classes``, ``areas``, ``crowd`` and ``empty``.
        seed: Seed of the choice, not negative.
        force: Replace outputs that are there already.
        command: The command line, kept in the summary.
        progress: Called with a line that says what is being done, and ``passing=True`` for news
            that need not stay.
        group_by: Regular expression; images of whose ``file_name`` it captures the same belong
            together, see ``fzmm.datasets.subsets.image_groups``.

    Returns:
        The summary, which is also written as ``summary.json``.

    Raises:
        UserError: If an input is wrong or an output cannot be written; nothing is written then.
    """
    say = progress or (lambda line, passing=False: None)
    if disjoint is None:
        disjoint = DEFAULT_DISJOINT if tuple(subsets) == DEFAULT_SUBSETS else ()
    _check_options(stratify, seed)
    out = Path(out_dir) if out_dir is not None else Path(ann_file).parent / "fz"
    names = [parse_subset(text).name for text in subsets]
    files = [f"{name}.json" for name in names]
    if any(_is_same(out / file, Path(ann_file)) for file in files):
        raise UserError(f"{ann_file}: a subset would replace its source; choose another name")

    with appear_together(out, [*files, SUMMARY, PAGE, *FIGURES], force) as stage:
        say(f"reading {ann_file}")
        source = AnnotationFile(ann_file)
        table = tabulate(source.coco)
        plan = make_plan(subsets, table.num_images, disjoint, nested)
        groups = None if group_by is None else group_images(file_names(source.coco), group_by)
        chosen = select(count_strata(table, stratify), plan, seed, say, groups)
        everything = count_strata(table)
        summary: dict[str, Any] = {
            "schema": 1,
            "source": {
                "file": source.path.name,
                "sha256": source.sha256,
                "images": table.num_images,
                "annotations": len(table.image),
                "categories": len(table.classes),
            },
            "seed": seed,
            "stratify": list(stratify),
            "disjoint": list(disjoint),
            "nested": list(nested),
            "group_by": None if groups is None else _summarise_groups(groups),
            "version": __version__,
            "command": shlex.join(command),
            "subsets": {},
        }
        for index, (subset, file) in enumerate(zip(plan.subsets, files, strict=True)):
            say(f"writing {out / file}")
            images = chosen[:, index]
            annotations = images[table.image]
            counts = np.asarray(everything.counts[images].sum(axis=0)).ravel()
            sizes = int(images.sum()), int(annotations.sum())
            summary["subsets"][subset.name] = {
                **measure(everything, counts, *sizes, subset.fraction),
                "sha256": _write(stage / file, source.cut(images, annotations)),
            }
        say("drawing figures 2 and 7")
        _draw(stage, table, chosen, names)
        # A path of bytes that are not UTF-8 is written with JSON's own escapes.
        text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
        (stage / SUMMARY).write_bytes(text.encode("utf-8", "backslashreplace"))
        write_page(stage / PAGE, summary, FIGURES)

    return summary


def file_names(coco: dict[str, Any]) -> list[str]:
    """Return the images' ``file_name``, which nothing but groups needs here.

    Raises:
        UserError: If one has none.
    """
    for index, image in enumerate(coco["images"]):
        if not isinstance(image.get("file_name"), str):
            raise UserError(f"--group-by: images[{index}] has no `file_name` to read a group from")
    return [image["file_name"] for image in coco["images"]]


def verify_subset(
    file: str | os.PathLike,
    source: str | os.PathLike,
    fraction: str | None = None,
    progress: Callable[..., None] | None = None,
) -> dict[str, Any]:
    """Measure an existing subset, whichever tool made it.

    Args:
        file: The subset's annotation file.
        source: The annotation file that it was made from.
        fraction: The share of every stratum to compare with; by default the simplest one that gives
            the subset's number of images.
        progress: See ``make_subsets``.

    Returns:
        The measures of ``measure``, ``sha256`` of the file, and how many of its images the source
        lacks (``unknown_images``), how many annotations it has beyond those of the source
        (``unknown_annotations``) and how many of its images' annotations it lacks
        (``missing_annotations``). Annotations are told by image, category and box, since other
        tools may number them anew.

    Raises:
        UserError: If a file is broken, the categories are not the source's, or the fraction is no
            number in (0, 1].
    """
    say = progress or (lambda line, passing=False: None)
    share = None if fraction is None else _parse_fraction(fraction)
    say(f"reading {source}")
    full = AnnotationFile(source).coco
    say(f"reading {file}")
    part = AnnotationFile(file)
    names = {category["id"]: category["name"] for category in full["categories"]}

    for index, category in enumerate(part.coco["categories"]):
        if names.get(category["id"]) != category["name"]:
            raise UserError(
                f"{file}: categories[{index}] (id {category['id']}, {category['name']!r}) is not "
                f"in {source}; give the file that the subset was made from"
            )

    whole = tabulate(full)
    strata = count_strata(whole)
    mine = count_strata(tabulate({**part.coco, "categories": full["categories"]}))
    images = len(part.coco["images"])
    if share is None:
        share = guess_fraction(images, whole.num_images)
    ids = {image["id"] for image in part.coco["images"]}
    full_ids = {image["id"] for image in full["images"]}

    ours = _fingerprints(part.coco["annotations"], ids)
    theirs = _fingerprints(full["annotations"], ids)
    missing = sum((theirs - ours).values())
    measures = measure(strata, mine.totals_in(strata), images, len(part.coco["annotations"]), share)
    return {
        **measures,
        "unknown_images": len(ids - full_ids),
        "unknown_annotations": sum((ours - theirs).values()),
        "missing_annotations": missing,
        "sha256": part.sha256,
    }


def _refuse_empty(plan: Plan, chosen: np.ndarray, groups: ImageGroups) -> None:
    """Refuse a choice in which groups are too large for one of the subsets."""
    for subset, count in zip(plan.subsets, chosen.sum(axis=0).tolist(), strict=True):
        if count in (0, chosen.shape[0]) and subset.num_images != count:
            raise UserError(
                f"--group-by {groups.pattern}: {subset.name} would hold {count} images in place of "
                f"{subset.num_images}: {describe_groups(groups)}; ask for another share or make "
                "the groups smaller"
            )


def _summarise_groups(groups: ImageGroups) -> dict[str, Any]:
    return {
        "pattern": groups.pattern,
        "groups": len(groups.names),
        "largest": int(groups.sizes.max()),
        "unmatched": groups.unmatched,
    }


def _write(path: Path, pieces: Iterable[bytes]) -> str:
    """Write bytes and return their SHA-256."""
    checksum = hashlib.sha256()
    with open(path, "wb") as file:
        for piece in pieces:
            checksum.update(piece)
            file.write(piece)
    return checksum.hexdigest()


def _parse_fraction(text: str) -> Fraction:
    share = parse_number(text)
    if share is None or not 0 < share <= 1:
        raise UserError(f"--fraction {text}: is no number in (0, 1]; write for example 0.25")
    return share


def _fingerprints(annotations: list[dict[str, Any]], images: set) -> Counter:
    return Counter(
        (
            annotation["image_id"],
            annotation["category_id"],
            *annotation["bbox"],
            bool(annotation.get("iscrowd")),
        )
        for annotation in annotations
        if annotation["image_id"] in images
    )


def _draw(stage: Path, table: AnnotationTable, chosen: np.ndarray, names: Sequence[str]) -> None:
    size = len(table.classes)
    full = np.bincount(table.category, minlength=size)
    parts = {
        name: np.bincount(table.category[chosen[:, index][table.image]], minlength=size)
        for index, name in enumerate(names)
    }
    draw_instances(stage / FIGURES[0], table.classes, full, parts)
    draw_class_shares(stage / FIGURES[1], table.classes, full, parts)


def _check_options(stratify: Sequence[str], seed: int) -> None:
    for name in stratify:
        if name not in STRATIFY:
            raise UserError(f"--stratify: {name!r} is not one of {', '.join(STRATIFY)}")
    if seed < 0:
        raise UserError(f"--seed {seed}: is negative; give a whole number from 0")


def _is_same(a: Path, b: Path) -> bool:
    return os.path.exists(a) and os.path.exists(b) and os.path.samefile(a, b)
