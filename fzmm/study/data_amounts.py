"""The data amounts of a study and their subsets: 100%, 50% and several different quarters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fzmm.datasets.subsets.make_subsets import make_subsets
from fzmm.errors import UserError
from fzmm.study.study_options import StudyOptions
from fzmm.utils.files import file_sha256, read_json


@dataclass(frozen=True)
class DataAmount:
    """A data amount of a study.

    Attributes:
        name: Such as ``bccd25-1``.
        fraction: Share of the training images.
        ann_file: Its annotation file.
    """

    name: str
    fraction: float
    ann_file: Path


def data_amounts(options: StudyOptions) -> list[DataAmount]:
    """Return the data amounts of a study, the largest first.

    Raises:
        UserError: If a fraction is out of range, given twice, or cannot be varied so often.
    """
    folder = options.subsets_dir
    return [
        DataAmount(name, share, Path(options.train_ann) if share == 1 else folder / f"{name}.json")
        for name, share in name_amounts(options.name, options.fractions, options.variations)
    ]


def name_amounts(name: str, fractions: Sequence[float], variations: int) -> list[tuple[str, float]]:
    """Return (name, fraction) of each data amount, the smallest fraction ``variations`` times.

    As in the thesis: COCO100, COCO50 and COCO25-1, -2, -3. The variations share no image, so there
    are no more of them than fit.

    Raises:
        UserError: If a fraction is out of range, given twice, or cannot be varied so often.
    """
    if variations < 1:
        raise UserError(f"--variations {variations}: at least 1")
    for value in fractions:
        if not 0 < value <= 1:
            raise UserError(f"--fractions {value:g}: a share of the images, above 0 and at most 1")

    labels = {value: f"{name}{100 * value:g}".replace(".", "p") for value in fractions}
    if len(set(labels.values())) < len(fractions):
        raise UserError("--fractions: one is given twice")

    amounts = []
    for value in sorted(fractions, reverse=True):
        label = labels[value]
        varied = value == min(fractions) and value < 1 and variations > 1
        if varied and value * variations > 1:
            raise UserError(
                f"--variations {variations}: of {value:g} of the images there are at most "
                f"{int(1 / value)} that share none; pass --variations {int(1 / value)}"
            )
        if varied:
            amounts += [(f"{label}-{index + 1}", value) for index in range(variations)]
        else:
            amounts.append((label, value))

    return amounts


def write_subsets(options: StudyOptions, amounts: Sequence[DataAmount]) -> None:
    """Write the stratified subsets of a study, unless the same ones are there."""
    subsets = [amount for amount in amounts if amount.fraction < 1]
    if not subsets or (not options.force and _are_there(options, subsets)):
        return

    smallest = min(amount.fraction for amount in subsets)
    varied = [amount.name for amount in subsets if amount.fraction == smallest]
    make_subsets(
        options.train_ann,
        out_dir=subsets[0].ann_file.parent,
        # repr: a third has to come back as the same number
        subsets=[f"{amount.name}={float(amount.fraction)!r}" for amount in subsets],
        disjoint=[",".join(varied)] if len(varied) > 1 else [],
        seed=options.seed,
        force=options.force,
        group_by=options.group_by,
    )


def group_notes(options: StudyOptions, amounts: Sequence[DataAmount]) -> list[str]:
    """Return how far off its share each subset is because groups stay together."""
    subsets = [amount for amount in amounts if amount.fraction < 1]
    if options.group_by is None or not subsets:
        return []
    summary = read_json(subsets[0].ann_file.parent / "summary.json")["subsets"]
    return [
        f"{amount.name}: off its share by {row['image_deviation']:.3g} images and up to "
        f"{row['max_class_count_deviation']:.3g} boxes of a class ({row['worst_class']}), as "
        "groups stay together"
        for amount, row in ((amount, summary[amount.name]) for amount in subsets)
    ]


def _are_there(options: StudyOptions, subsets: Sequence[DataAmount]) -> bool:
    try:
        summary = json.loads((subsets[0].ann_file.parent / "summary.json").read_bytes())
        return (
            summary["source"]["sha256"] == file_sha256(options.train_ann)
            and summary["seed"] == options.seed
            and (summary.get("group_by") or {}).get("pattern") == options.group_by
            and all(
                summary["subsets"][amount.name]["fraction"] == amount.fraction
                and summary["subsets"][amount.name]["sha256"] == file_sha256(amount.ann_file)
                for amount in subsets
            )
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False
