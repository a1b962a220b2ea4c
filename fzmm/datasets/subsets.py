"""Class-stratified subsets of a COCO annotation file."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from fzmm.datasets.coco import check_annotations, parse_annotations, read_bytes
from fzmm.datasets.measures import measure
from fzmm.datasets.plan import DEFAULT_DISJOINT, DEFAULT_SUBSETS, Plan, Subset, cells_of, make_plan
from fzmm.datasets.selection import Problem, choose
from fzmm.datasets.strata import STRATIFY, Strata, count_strata, tabulate
from fzmm.errors import UserError
from fzmm.files import atomic_write
from fzmm.version import __version__


def select_image_ids(coco: dict[str, Any], num_images: int, seed: int = 0) -> list[int]:
    """Choose a stratified sample of a loaded annotation file's images.

    Args:
        coco: A checked COCO object, as ``read_annotations`` returns it.
        num_images: How many images to choose; all of them if there are no more.
        seed: Seed of the choice.

    Returns:
        Ids of the chosen images in the file's order.
    """
    images = coco["images"]
    if num_images >= len(images):
        return [image["id"] for image in images]
    if num_images < 1:
        raise ValueError(f"num_images must be at least 1, not {num_images}")
    share = Fraction(num_images, len(images))
    plan = Plan([Subset("sample", num_images, share)], disjoint=[], nested=[])
    chosen = select(count_strata(tabulate(coco)), plan, seed)[:, 0]
    return [images[index]["id"] for index in np.flatnonzero(chosen)]


def select(
    strata: Strata,
    plan: Plan,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> np.ndarray:
    """Choose the images of every subset of a plan.

    Args:
        strata: What to keep.
        plan: The subsets.
        seed: Seed of the choice.
        progress: Called with a line that says what is being done.

    Returns:
        Membership, bool ``(images, subsets)``.
    """
    images = strata.counts.shape[0]
    chosen = np.zeros((images, len(plan.subsets)), dtype=bool)
    for component in plan.components():
        cells, sizes = cells_of(plan, component, images)
        names = ", ".join(plan.subsets[index].name for index in component)
        problem = Problem(
            strata.counts,
            strata.kinds,
            [plan.subsets[index].fraction for index in component],
            cells,
            sizes,
        )
        if progress:
            progress(f"choosing {names}")
        chosen[:, component] = choose(problem, seed)
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
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Cut an annotation file into subsets that keep its statistics.

    Args:
        ann_file: COCO instances file, plain or gzipped.
        out_dir: Folder of the outputs; ``fz`` beside the file by default.
        subsets: ``NAME=FRACTION`` or ``NAME=IMAGES``, by default those of the thesis.
        disjoint: Groups ``A,B,...`` of subsets that share no image; with the default subsets by default the
            three quarters.
        nested: Chains ``A,B,...`` in which each contains the next.
        stratify: What to keep, of ``classes``, ``areas``, ``crowd`` and ``empty``.
        seed: Seed of the choice.
        force: Replace outputs that are there already.
        command: The command line, kept in the summary.
        progress: Called with a line that says what is being done.

    Returns:
        The summary, which is also written as ``summary.json``.

    Raises:
        UserError: If an input is wrong or an output cannot be written; nothing is written then.
    """
    say = progress or (lambda line: None)
    if disjoint is None:
        disjoint = DEFAULT_DISJOINT if tuple(subsets) == DEFAULT_SUBSETS else ()
    say(f"reading {ann_file}")
    raw = Path(ann_file).read_bytes() if Path(ann_file).is_file() else b""
    coco = parse_annotations(read_bytes(ann_file), str(ann_file))
    check_annotations(coco, str(ann_file))
    table = tabulate(coco)
    plan = make_plan(subsets, table.num_images, disjoint, nested)
    out = Path(out_dir) if out_dir is not None else Path(ann_file).parent / "fz"
    strata = count_strata(table, stratify)
    chosen = select(strata, plan, seed, say)
    everything = count_strata(table)
    summary = {
        "schema": 1,
        "source": {
            "file": Path(ann_file).name,
            "sha256": hashlib.sha256(raw).hexdigest(),
            "images": table.num_images,
            "annotations": len(table.image),
        },
        "seed": seed,
        "version": __version__,
        "command": shlex.join(command),
        "subsets": {},
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}); choose --out-dir") from None
    taken = [
        f"{subset.name}.json" for subset in plan.subsets if (out / f"{subset.name}.json").exists()
    ]
    if taken and not force:
        raise UserError(f"{out / taken[0]}: exists already; pass --force to replace it")
    for column, subset in enumerate(plan.subsets):
        say(f"writing {subset.name}.json")
        inside = chosen[:, column]
        data = orjson.dumps(_cut(coco, inside))
        with atomic_write(out / f"{subset.name}.json", "wb") as file:
            file.write(data)
        counts = np.asarray(everything.counts[inside].sum(axis=0)).ravel()
        measures = measure(everything, counts, int(inside.sum()), Fraction(subset.fraction))
        summary["subsets"][subset.name] = {
            "fraction": float(subset.fraction),
            **measures.to_dict(),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
    with atomic_write(out / "summary.json") as file:
        file.write(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    return summary


def _cut(coco: dict[str, Any], inside: np.ndarray) -> dict[str, Any]:
    images = [image for image, kept in zip(coco["images"], inside.tolist(), strict=True) if kept]
    ids = {image["id"] for image in images}
    annotations = [item for item in coco["annotations"] if item["image_id"] in ids]
    return {**coco, "images": images, "annotations": annotations}
