"""The report's page: templates filled with the sections of the cohorts and the table of runs."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from fzmm.analysis.detections.image_differences import SHOWN_SCORE
from fzmm.analysis.figures.detections.panels import scenario_name
from fzmm.analysis.figures.style import MOST_AMOUNTS
from fzmm.analysis.reading.run import Run
from fzmm.analysis.report import more_data_text
from fzmm.analysis.report.links import RunLinks, range_name
from fzmm.analysis.report.runs_csv import versions
from fzmm.analysis.report.sections import Section
from fzmm.analysis.report.words import report_pages
from fzmm.analysis.statistics import measures
from fzmm.analysis.statistics.cohorts import size_name
from fzmm.analysis.statistics.hardware import NOT_RECORDED, device_text, devices
from fzmm.version import __version__

PICTURES = "pictures"  # the folder of the large ones, beside the page
MOST_TENSORS = 8  # named in a sentence; the run's record has them all
MOST_CARDS = 6  # before the rest folds, so that the first screen remains the answer


@dataclass(frozen=True)
class Report:
    """What the page shows.

    Attributes:
        sections: One for each cohort that something can be said of.
        set_ups: All runs, repeats together.
        cohorts: How many groups of comparable runs there are.
        others: Runs of the cohorts that have no section.
        notes: What could not be read.
        data_pages: Link to the page on each section's data, by its prefix; None without one.
    """

    sections: list[Section]
    set_ups: list[list[Run]]
    cohorts: int
    others: list[Run]
    notes: list[str]
    data_pages: dict[str, str | None]

    @property
    def runs(self) -> list[Run]:
        """All runs, in the order of their numbers."""
        return [run for set_up in self.set_ups for run in set_up]


def render(report: Report) -> bytes:
    """Return the page: it needs no network and allows no script."""
    pages = report_pages()
    pages.filters.update(device=device_text, devices=devices, versions=versions)
    pages.filters.update(jpeg_url=_jpeg_url, svg_url=_svg_url)
    pages.globals.update(
        MOST_AMOUNTS=MOST_AMOUNTS,
        MOST_CARDS=MOST_CARDS,
        MOST_TENSORS=MOST_TENSORS,
        NOT_RECORDED=NOT_RECORDED,
        PICTURES=PICTURES,
        SHOWN_SCORE=SHOWN_SCORE,
        measures=measures,
        more_data=more_data_text,
        range_name=range_name,
        scenario_name=scenario_name,
        size_name=size_name,
        version=__version__,
    )
    page = pages.get_template("report.html").render(report=report, links=RunLinks(report.set_ups))
    return page.encode("utf-8", "replace")


def _jpeg_url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"


def _svg_url(svg: bytes) -> str:
    """Embed an SVG as an image, so that its ids stay its own and nothing in it can run."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode('ascii')}"
