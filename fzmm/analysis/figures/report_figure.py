"""What the report knows of each of its figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the report.

    Attributes:
        key: File name without ending.
        title: What it shows.
        needs: What runs it needs, said when it cannot be drawn.
        caption: How to read it.
        draw: Returns the figure, or None where the runs do not hold its data.
        reference: Its place in the thesis; empty if it is not in it.
        by_amount: Whether it has a panel or a line for each data amount, of which it shows
            ``style.MOST_AMOUNTS`` at most.
    """

    key: str
    title: str
    needs: str
    caption: str
    draw: Callable[[CohortConclusions], Figure | None]
    reference: str = ""
    by_amount: bool = False
