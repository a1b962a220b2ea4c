"""The pictures of one data amount: where two scenarios differ most, and where they agree."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from fzmm.analysis.conclusions.scenario_pair import ScenarioPair
from fzmm.analysis.detections.ground_truth import GroundTruth
from fzmm.analysis.detections.image_differences import (
    SHOWN_SCORE,
    image_differences,
    image_errors,
    most_alike,
    most_different,
)
from fzmm.analysis.detections.run_detections import AmountDetections, RunDetections
from fzmm.analysis.figures.pictures.drawn_boxes import LabelledBox, short
from fzmm.analysis.figures.pictures.palette import class_colours
from fzmm.analysis.figures.pictures.side_by_side import as_jpeg, side_by_side
from fzmm.datasets.training_pixels import training_pixels

DIFFERENT, ALIKE = 12, 4  # pictures of a data amount
MOST_BYTES = 60_000  # of a picture in the page
_WIDTHS, _LINES = (300, 900), (3, 4)  # of the picture in the page, and of the one on a click


@dataclass(frozen=True)
class FoundBoxes:
    """What one run does in an image: boxes that it finds, and false detections."""

    found: int
    false: int


@dataclass(frozen=True)
class Picture:
    """An image with its boxes as annotated and as two runs detect them.

    Attributes:
        name: Of the large picture's file.
        file_name: The image's, as annotated.
        small: JPEG of at most ``MOST_BYTES``.
        large: The same in more pixels.
        boxes: Number of annotated boxes that count.
        runs: What each of the two runs does.
        difference: By how many boxes and false detections the scenarios differ, over all runs.
    """

    name: str
    file_name: str
    small: bytes
    large: bytes
    boxes: int
    runs: tuple[FoundBoxes, FoundBoxes]
    difference: float


@dataclass(frozen=True)
class AmountPictures:
    """The pictures of one data amount.

    Attributes:
        one: Its detections.
        pair: The scenarios that are compared.
        different: Where they differ most, the largest difference first.
        alike: Where they agree.
        missing: How many more there would be, had their images been read.
        why: Why the first of them was not.
    """

    one: AmountDetections
    pair: ScenarioPair
    different: list[Picture]
    alike: list[Picture]
    missing: int
    why: str


def amount_pictures(
    one: AmountDetections,
    pair: ScenarioPair,
    titles: tuple[str, str],
    images: str | None,
    prefix: str,
) -> AmountPictures:
    """Choose and draw the pictures of a data amount.

    Args:
        one: Its detections.
        pair: The scenarios to compare.
        titles: What they are called.
        images: Folder of the images where they have moved.
        prefix: What the names of the files begin with.
    """
    errors = [
        image_errors([run.detections for run in one.scenarios[k]], one.truth)
        for k in (pair.first, pair.second)
    ]
    differences = image_differences(*errors, one.truth)
    different = most_different(differences, DIFFERENT)
    alike = most_alike(differences, one.truth, ALIKE, without=different)

    artist = _Artist(pair, one.truth, ("ground truth", *titles), images)
    pictures: dict[int, Picture] = {}
    whys = []
    for number, image in enumerate([*different, *alike], start=1):
        drawn = artist.draw(image, f"{prefix}{number:02}", float(differences[image]))
        if isinstance(drawn, str):
            whys.append(drawn)
        else:
            pictures[image] = drawn

    return AmountPictures(
        one=one,
        pair=pair,
        different=[pictures[image] for image in different if image in pictures],
        alike=[pictures[image] for image in alike if image in pictures],
        missing=len(whys),
        why=whys[0] if whys else "",
    )


class _Artist:
    """Draws images with the boxes of two runs."""

    def __init__(self, pair: ScenarioPair, truth: GroundTruth, titles, images: str | None):
        self._runs, self._truth, self._titles = pair.runs, truth, titles
        val = pair.runs[0].run.val
        self._folder, self._moved = images or val.image_folder, images is not None
        by_label = class_colours(len(truth.class_ids), val.palette)
        self._colours = [by_label[label] for label in truth.labels]
        self._errors = [image_errors([run.detections], truth) for run in self._runs]

    def draw(self, image: int, name: str, difference: float) -> Picture | str:
        """Return the picture, or why there is none."""
        file_name = self._truth.file_names[image]
        path = self._path(file_name)
        if path is None:
            return "the runs do not say where the images are"
        pixels = training_pixels(path)
        if pixels is None:
            return f"{path} {'cannot be read' if os.path.lexists(path) else 'is not here'}"

        annotated = np.flatnonzero(self._truth.images == image)
        boxes = [self._annotated(annotated), *(self._detected(run, image) for run in self._runs)]
        small = side_by_side(pixels, boxes, _WIDTHS[0], _LINES[0])
        large = side_by_side(pixels, boxes, _WIDTHS[1], _LINES[1], self._titles)
        return Picture(
            name=name,
            file_name=file_name,
            small=as_jpeg(small, MOST_BYTES),
            large=as_jpeg(large),
            boxes=int(np.count_nonzero(~self._truth.crowd[annotated])),
            runs=tuple(
                FoundBoxes(round(errors.found[annotated].sum()), round(errors.false[image]))
                for errors in self._errors
            ),
            difference=difference,
        )

    def _path(self, file_name: str) -> str | None:
        if self._folder is None:
            return None
        path = os.path.join(self._folder, file_name)
        # where images were moved, the folders within their names may be gone, or be absolute
        beside = os.path.join(self._folder, os.path.basename(file_name))
        moved = self._moved and (os.path.isabs(file_name) or not os.path.lexists(path))
        return beside if moved and os.path.lexists(beside) else path

    def _annotated(self, boxes: np.ndarray) -> list[LabelledBox]:
        truth = self._truth
        return [
            self._box(truth.boxes[box], truth.classes[box], " (crowd)" if truth.crowd[box] else "")
            for box in boxes
        ]

    def _detected(self, run: RunDetections, image: int) -> list[LabelledBox]:
        detections = run.detections
        shown = (detections.images == image) & (detections.scores >= SHOWN_SCORE)
        return [
            self._box(
                detections.boxes[place],
                detections.classes[place],
                f" {100 * detections.scores[place]:.0f}",
            )
            for place in np.flatnonzero(shown)[::-1]  # the highest score on top
        ]

    def _box(self, box: np.ndarray, class_: int, more: str) -> LabelledBox:
        name = short(self._truth.class_names[class_], 16)
        return LabelledBox(box, self._colours[class_], name + more)
