"""Data amounts, and which runs on them count."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fzmm.analysis.reading.run import Run


@dataclass(frozen=True)
class TrainingSet:
    """One data amount: one training annotation file.

    Attributes:
        name: ``coco25-1``, or the annotation file's name where the config names no data amount.
        identity: Checksum, or path, of the annotation file; None is unknown.
        fraction: Share of the full training images; None is unknown.
        images: Number of images; None is unknown.
    """

    name: str
    identity: str | None
    fraction: float | None = None
    images: int | None = None

    @property
    def level(self) -> tuple[str, float | str | None]:
        """Equal for subsets of equal size, such as ``coco25-1`` and ``coco25-2``."""
        if self.fraction is not None:
            return "fraction", round(self.fraction, 6)
        if self.images is not None:
            return "images", self.images
        return "name", self.name


def is_complete(run: Run) -> bool:
    """Whether a run counts in averages: it has results, is not unfinished and no duplicate."""
    return run.metric is not None and run.finished is not False and run.duplicate_of is None


def training_set_of(run: Run) -> TrainingSet:
    """Return the data amount of a run."""
    name = run.data_amount
    if name is None:
        name = Path(run.train.ann_file).stem if run.train.ann_file else "unknown data"
    return TrainingSet(name, run.train.identity, run.fraction, run.train.images)
