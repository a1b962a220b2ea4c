"""Cutting a validation part off a dataset that has none."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from fzmm.datasets.subsets.deviations import measure
from fzmm.datasets.subsets.image_groups import ImageGroups, describe_groups, group_images
from fzmm.datasets.subsets.make_subsets import file_names, select_image_ids
from fzmm.datasets.subsets.strata import count_strata, tabulate
from fzmm.errors import UserError

# Not the subsets' seed: studies of one dataset with other subsets stay comparable.
_SEED = 0


@dataclass(frozen=True)
class ValidationCut:
    """A dataset in two.

    Attributes:
        train: COCO object of the training part.
        val: COCO object of the validation part.
        groups: What stayed together, if anything had to.
        deviations: How far the validation part is off its share, see
            ``fzmm.datasets.subsets.deviations.measure``.
    """

    train: dict[str, Any] = field(repr=False)
    val: dict[str, Any] = field(repr=False)
    groups: ImageGroups | None
    deviations: dict[str, Any]


def cut_validation(
    coco: dict[str, Any], fraction: float, group_by: str | None = None
) -> ValidationCut:
    """Cut into a training and a validation part, alike in classes, sizes and empty images.

    The same file gives the same parts on every machine.

    Args:
        coco: A checked COCO object.
        fraction: Share of the images for validation.
        group_by: Regular expression; images of whose name it captures the same stay together.

    Raises:
        UserError: If one of the parts would hold no image, or the pattern cannot be used.
    """
    images = len(coco["images"])
    number = round(fraction * images)
    if not 0 < number < images:
        raise UserError(
            f"--val-fraction {fraction:g}: leaves {number} of {images} images for "
            "validation; choose another share"
        )
    groups = None if group_by is None else group_images(file_names(coco), group_by)
    chosen = set(select_image_ids(coco, number, _SEED, groups))
    train, val = (_part(coco, chosen, inside) for inside in (False, True))
    return ValidationCut(train, val, groups, _measure(coco, val, Fraction(number, images)))


def describe_cut(cut: ValidationCut) -> list[str]:
    """Return how many images each part got, and what groups did to the statistics."""
    train, val = (len(part["images"]) for part in (cut.train, cut.val))
    notes = [f"cut into {train:,} and {val:,} images for training and validation"]
    if cut.groups is None:
        return notes
    off = cut.deviations
    return [
        *notes,
        f"--group-by keeps {describe_groups(cut.groups)}",
        f"for that validation is off its share by {off['image_deviation']:.3g} images, and by up "
        f"to {off['max_class_count_deviation']:.3g} boxes of a class ({off['worst_class']}) and "
        f"{off['max_class_share_deviation_pp']:.2g} points of its share; without groups rounding "
        "makes up to 0.5 of each",
    ]


def _measure(coco: dict[str, Any], part: dict[str, Any], fraction: Fraction) -> dict[str, Any]:
    full = count_strata(tabulate(coco))
    counts = count_strata(tabulate(part)).totals_in(full)
    return measure(full, counts, len(part["images"]), len(part["annotations"]), fraction)


def _part(coco: dict[str, Any], chosen: set[int], inside: bool) -> dict[str, Any]:
    images = [image for image in coco["images"] if (image["id"] in chosen) == inside]
    annotations = [
        annotation
        for annotation in coco["annotations"]
        if (annotation["image_id"] in chosen) == inside
    ]
    return {**coco, "images": images, "annotations": annotations}
