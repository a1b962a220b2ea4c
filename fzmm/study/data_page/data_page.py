"""``data.html``: what is in the data, to look at before hours are spent on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from fzmm.datasets.annotation_file import AnnotationFile
from fzmm.datasets.sampling_error import FEW_BOXES
from fzmm.errors import UserError
from fzmm.study.data_amounts import DataAmount
from fzmm.study.data_page.box_counts import SIZES, BoxCounts, count_boxes
from fzmm.study.data_page.drawn_images import COLOURS, DrawnImage, draw_images
from fzmm.study.data_page.shown_images import choose_images, classes_in_images
from fzmm.study.dataset.data_check import DataReport
from fzmm.study.dataset.expected_error_text import error_texts
from fzmm.study.dataset.fingerprint import BITS
from fzmm.study.dataset.near_copies import NearCopy
from fzmm.study.study_options import StudyOptions
from fzmm.utils.files import refuse_special, write_file
from fzmm.utils.pages import GENERATOR, html_pages
from fzmm.version import __version__

PAGE = "data.html"
MOST_PICTURES = 72  # of the parts, together; 40 of pairs come on top
MOST_OF_A_PART = 12
MOST_PARTS = 12
MOST_PAIRS = 20
MOST_CLASSES = 200


@dataclass(frozen=True)
class ShownPart:
    """A part of the data with some of its images.

    Attributes:
        counts: Its boxes.
        images: Some images; none if there are to be none.
    """

    counts: BoxCounts
    images: list[DrawnImage]


@dataclass(frozen=True)
class ShownPair:
    """A validation image and the training image that it nearly is.

    Attributes:
        copy: How near they are.
        val: The validation image.
        train: The training image.
    """

    copy: NearCopy
    val: DrawnImage
    train: DrawnImage


def page_path(options: StudyOptions) -> Path:
    """Return where a study's page of the data is."""
    return options.subsets_dir / PAGE


def refuse_foreign_page(options: StudyOptions) -> None:
    """Refuse to replace a file that is no page of fzmm's, unless forced.

    Raises:
        UserError: If there is one.
    """
    path = page_path(options)
    refuse_special(path)
    if path.is_dir():
        raise UserError(f"{path}: is a folder; pass another --data-dir")
    if not options.force and path.exists() and GENERATOR.encode() not in path.read_bytes()[:4096]:
        raise UserError(f"{path}: is there already; pass --force to replace it, or --data-dir")


def write_data_page(
    options: StudyOptions, report: DataReport, amounts: Sequence[DataAmount], notes: Sequence[str]
) -> Path:
    """Write the page; the subsets have to be there.

    Args:
        options: The study's.
        report: The checked dataset.
        amounts: The study's data amounts.
        notes: What is odd.

    Returns:
        Its path.

    Raises:
        UserError: If it cannot be written.
    """
    page = _render(options, report, amounts, notes)
    path = page_path(options)
    write_file(path, page)
    return path


def _render(
    options: StudyOptions, report: DataReport, amounts: Sequence[DataAmount], notes: Sequence[str]
) -> bytes:
    classes = [name for name, _, _ in report.class_counts()]
    colours = {name: index % COLOURS for index, name in enumerate(classes)}
    pages = html_pages(Path(__file__).parent / "templates")
    pages.filters["share"] = lambda number, total: 100 * number / max(total, 1)
    page = pages.get_template("data.html").render(
        name=options.name,
        version=__version__,
        report=report,
        notes=notes,
        says=error_texts(report.expected_error),
        parts=_parts(options, report, amounts, colours),
        pairs=[] if options.no_images else _pairs(report, colours),
        pictures=not options.no_images,
        classes=classes,
        sizes=SIZES,
        BITS=BITS,
        FEW_BOXES=FEW_BOXES,
        MOST_CLASSES=MOST_CLASSES,
    )
    return page.encode("utf-8", "replace")


def _parts(
    options: StudyOptions,
    report: DataReport,
    amounts: Sequence[DataAmount],
    colours: dict[str, int],
) -> list[ShownPart]:
    """Return the training part of each data amount, and the validation part."""
    halves = [(amount.name, report.train, _ids(amount)) for amount in amounts[: MOST_PARTS - 1]]
    halves.append(("validation", report.val, None))
    classes = {id(split): classes_in_images(split) for split in (report.train, report.val)}
    number = 0 if options.no_images else min(MOST_OF_A_PART, MOST_PICTURES // len(halves))

    parts = []
    for seed, (name, split, ids) in enumerate(halves):
        counts = count_boxes(name, split, ids)
        images = choose_images(split, counts.ids, classes[id(split)], number, seed)
        parts.append(ShownPart(counts, draw_images(split, images, colours)))
    return parts


def _ids(amount: DataAmount) -> set[int] | None:
    """Return the ids of a subset's images."""
    if amount.fraction == 1:
        return None
    return {image["id"] for image in AnnotationFile(amount.ann_file).coco["images"]}


def _pairs(report: DataReport, colours: dict[str, int]) -> list[ShownPair]:
    """Return the nearest pairs."""
    copies = list(islice(sorted(report.near_copies, key=lambda copy: copy.bits), MOST_PAIRS))
    sides: list[list[DrawnImage]] = []
    for split, places in (
        (report.val, [copy.val for copy in copies]),
        (report.train, [copy.train for copy in copies]),
    ):
        images: list[dict[str, Any]] = [split.coco["images"][place] for place in places]
        sides.append(draw_images(split, images, colours))
    return [ShownPair(*pair) for pair in zip(copies, *sides, strict=True)]
