"""Which pictures a page shows, so that it stays small and holds none that must not be copied."""

from __future__ import annotations

from pathlib import Path

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.conclusions.scenario_pair import scenario_pair
from fzmm.analysis.figures.detections.panels import scenario_name
from fzmm.analysis.figures.pictures.amount_pictures import (
    ALIKE,
    DIFFERENT,
    AmountPictures,
    amount_pictures,
)
from fzmm.errors import UserError

MOST_PICTURES = 100  # of 60 kB: 8 MB as a page holds them, of its 15


class PagePictures:
    """The pictures of all sections of one page.

    Args:
        images: Folder of the images where they have moved since the runs.
        left_out: Whether there are to be none.

    Raises:
        UserError: If the folder is none.
    """

    def __init__(self, images: str | Path | None = None, left_out: bool = False):
        if images is not None and not Path(images).is_dir():
            raise UserError(f"--images {images}: is no folder; name the one that holds the images")
        self._images = None if images is None else str(images)
        self.left_out = left_out
        self._left = MOST_PICTURES

    def of(self, conclusions: CohortConclusions, prefix: str) -> list[AmountPictures]:
        """Draw those of one section, as far as there is room.

        Args:
            conclusions: The section's.
            prefix: What the names of its files begin with.
        """
        result = []
        for index, one in enumerate([] if self.left_out else conclusions.detections, start=1):
            if self._left < DIFFERENT + ALIKE:
                break
            pair = scenario_pair(conclusions, one)
            names = tuple(scenario_name(conclusions, k) for k in (pair.first, pair.second))
            drawn = amount_pictures(one, pair, names, self._images, f"{prefix}{index}-")
            self._left -= len(drawn.different) + len(drawn.alike)
            result.append(drawn)
        return result
