"""What the page says of each cohort, as numbers, figures and tables; templates choose the words."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property

from fzmm.analysis.conclusions import missing_runs
from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.conclusions.next_runs import NextRun
from fzmm.analysis.conclusions.recommendation import Recommendation
from fzmm.analysis.figures import FIGURES
from fzmm.analysis.figures.pictures.amount_pictures import AmountPictures
from fzmm.analysis.figures.report_figure import ReportFigure
from fzmm.analysis.reading.run import Run
from fzmm.analysis.report import result_tables
from fzmm.analysis.report.detections.page_pictures import PagePictures
from fzmm.analysis.report.report_table import Table
from fzmm.analysis.statistics.cohorts import Cohort, is_complete
from fzmm.analysis.statistics.hardware import by_hardware, changed_hardware
from fzmm.analysis.statistics.noise import Noise, best_map

MOST_SECTIONS = 10  # of a folder of unrelated runs; a longer page nobody reads
NOTHING_LEARNT = 0.01  # below 1% mAP, differences between scenarios are differences of nothing


@dataclass(frozen=True)
class Card:
    """The recommendation for one size of data.

    Attributes:
        recommendation: That of the training set with the most runs.
        others: Those of the other training sets of the same size.
    """

    recommendation: Recommendation
    others: list[Recommendation]


@dataclass(frozen=True)
class DrawnFigure:
    """A figure of the report, drawn.

    Attributes:
        name: Its id in the page and its file's name without ending.
        entry: What it is.
        svg: The drawing, and ``png`` the same in pixels.
        runs: The runs that are drawn.
    """

    name: str
    entry: ReportFigure
    svg: bytes
    png: bytes
    runs: list[Run]


@dataclass(frozen=True)
class Section:
    """One cohort's part of the page.

    Attributes:
        prefix: What its ids begin with; empty for the first cohort.
        conclusions: The cohort and all that is concluded from it.
        figures: Those that its runs allow.
        figures_missing: Those that they do not.
        tables: Those that have rows.
        pictures: Of its data amounts, as far as there is room.
        without_images: Whether pictures are left out as asked for.
    """

    prefix: str
    conclusions: CohortConclusions
    figures: list[DrawnFigure]
    figures_missing: list[ReportFigure]
    tables: list[Table]
    pictures: list[AmountPictures]
    without_images: bool

    @property
    def cohort(self) -> Cohort:
        """The cohort that it is about."""
        return self.conclusions.cohort

    @property
    def without_pictures(self) -> list[str]:
        """Names of the data amounts whose pictures the page has no room for."""
        amounts = [one.amount for one in self.conclusions.detections[len(self.pictures) :]]
        return [] if self.without_images else [self.cohort.name(amount) for amount in amounts]

    @property
    def table_keys(self) -> list[str]:
        """Keys of its tables."""
        return [table.key for table in self.tables]

    @property
    def cards(self) -> list[Card]:
        """A card for each size of data with a recommendation, the largest first."""
        by_amount = {one.amount: one for one in self.conclusions.recommendations}
        levels = [[by_amount[a] for a in level if a in by_amount] for level in self.cohort.levels]
        return [_card(level) for level in levels if level]

    @property
    def complete_runs(self) -> list[Run]:
        """The runs that count in averages."""
        return [run for run in self.cohort.runs if is_complete(run)]

    @property
    def incomplete_runs(self) -> list[Run]:
        """The runs that are left out of them."""
        return [run for run in self.cohort.runs if not is_complete(run)]

    @property
    def nothing_learnt(self) -> float | None:
        """The best mAP of all where it is too low to compare anything, else None."""
        highest = max((best_map(run) for run in self.complete_runs), default=1.0)
        return highest if highest < NOTHING_LEARNT else None

    @property
    def noise(self) -> Noise | None:
        """The noise that the recommendations were held against, or None without any."""
        recommendations = self.conclusions.recommendations
        return recommendations[0].noise if recommendations else None

    @property
    def without_unfrozen(self) -> list[str]:
        """Names of the training sets whose recommendation lacks the unfrozen scenario."""
        return [
            recommendation.amount.name
            for recommendation in self.conclusions.recommendations
            if not recommendation.unfrozen_runs
        ]

    @cached_property
    def hardware(self) -> dict[str, list[Run]]:
        """The runs that count in averages, by the hardware they were trained on."""
        return by_hardware(self.complete_runs)

    @property
    def changed_hardware(self) -> list[Run]:
        """The runs that went on with other hardware, whose times count nowhere."""
        return changed_hardware(self.complete_runs)

    @property
    def scenarios_to_run(self) -> list[str]:
        """Commands that complete the scenarios."""
        return missing_runs.scenarios_to_run(self.cohort)

    @property
    def amounts_to_run(self) -> list[str]:
        """Commands that complete the data amounts for the scenario recommended first."""
        recommendations = self.conclusions.recommendations
        frozen = recommendations and recommendations[0].arm is None
        stages = recommendations[0].trainable if frozen else self.cohort.unfrozen
        return missing_runs.amounts_to_run(self.cohort, stages)

    @property
    def next_runs(self) -> list[NextRun]:
        """Runs that would help to decide, on all data amounts."""
        recommendations = self.conclusions.recommendations
        return [run for recommendation in recommendations for run in recommendation.next_runs]

    @property
    def until_decided(self) -> str:
        """The command that makes them, round by round."""
        margin = self.conclusions.recommendations[0].margin
        return missing_runs.until_decided(self.cohort, margin)

    @property
    def repeats_to_run(self) -> list[str]:
        """Commands that would measure the noise."""
        return missing_runs.repeats_to_run(self.cohort)


def make_sections(
    conclusions: list[CohortConclusions], pictures: PagePictures | None = None
) -> list[Section]:
    """Draw and tabulate the cohorts that something can be said of.

    The first cohort always has a section; of the others those with a recommendation.

    Args:
        conclusions: Those of all cohorts.
        pictures: Draws the pictures; by default of images where the runs had them.
    """
    pictures = pictures or PagePictures()
    first, *others = conclusions
    shown = [first, *(other for other in others if other.recommendations)][:MOST_SECTIONS]
    return [_section(one, index, pictures) for index, one in enumerate(shown)]


def _section(conclusions: CohortConclusions, index: int, pictures: PagePictures) -> Section:
    prefix = f"{index + 1}-" if index else ""
    drawn = {entry: _drawn(entry, conclusions, prefix) for entry in FIGURES}
    return Section(
        prefix=prefix,
        conclusions=conclusions,
        figures=[figure for figure in drawn.values() if figure],
        figures_missing=[entry for entry, figure in drawn.items() if not figure],
        tables=result_tables.cohort_tables(conclusions),
        pictures=pictures.of(conclusions, prefix),
        without_images=pictures.left_out,
    )


def _card(recommendations: list[Recommendation]) -> Card:
    first = max(recommendations, key=lambda one: len(one.runs) + len(one.top_runs))
    return Card(first, [other for other in recommendations if other is not first])


def _drawn(entry: ReportFigure, conclusions: CohortConclusions, prefix: str) -> DrawnFigure | None:
    from fzmm.analysis.figures import style

    with style.styled():
        figure = entry.draw(conclusions)
        if figure is None:
            return None

        svg, png = io.BytesIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
        figure.savefig(png, format="png", dpi=150)
    name = f"{prefix}{entry.key}"
    return DrawnFigure(name, entry, svg.getvalue(), png.getvalue(), figure.runs)
