"""The report: one page that answers first and shows its grounds after, and the data behind it."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions, conclude
from fzmm.analysis.conclusions.next_runs import MARGIN
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.reading.run import Run
from fzmm.analysis.report.detections.page_pictures import PagePictures
from fzmm.analysis.report.links import data_page_url
from fzmm.analysis.report.page import PICTURES, Report, render
from fzmm.analysis.report.runs_csv import runs_csv
from fzmm.analysis.report.sections import make_sections
from fzmm.analysis.report.summary_json import summarise_report, to_json
from fzmm.analysis.statistics.cohorts import Cohort, cohorts
from fzmm.errors import UserError
from fzmm.utils.files import atomic_write

_PICTURE = re.compile(r"([0-9]+-)?[0-9]+-[0-9]{2}\.jpg")  # `Picture.name`


def write_report(
    paths: list[str | Path] | str | Path,
    out_dir: str | Path,
    margin: float = MARGIN,
    target_map: float | None = None,
    images: str | Path | None = None,
    no_images: bool = False,
) -> Path:
    """Write ``index.html``, ``runs.csv``, ``summary.json``, ``figures/`` and ``pictures/``.

    Args:
        paths: Work directories, folders of them, or logs.
        out_dir: Folder to write into; made if missing.
        margin: Loss or gain of mAP that does not matter.
        target_map: mAP whose price in data is asked for.
        images: Folder of the validation images where they have moved since the runs.
        no_images: Write no picture of any image, and remove those of an earlier report.

    Returns:
        The path of ``index.html``.

    Raises:
        UserError: If there is no run to report or the folder cannot be written.
    """
    notes: list[str] = []
    pictures = PagePictures(images, no_images)
    groups = cohorts(read_runs(paths, notes))
    conclusions = conclude(groups, margin, target_map)
    out_dir = Path(out_dir)
    files = _files(_report(groups, conclusions, notes, pictures, out_dir))
    try:
        _write(files, out_dir)
    except OSError as error:
        raise UserError(f"{out_dir}: cannot be written ({error.strerror})") from error
    return out_dir / "index.html"


def _report(
    groups: list[Cohort],
    conclusions: list[CohortConclusions],
    notes: list[str],
    pictures: PagePictures,
    out_dir: Path,
) -> Report:
    sections = make_sections(conclusions, pictures)
    shown = [section.cohort for section in sections]
    return Report(
        sections=sections,
        set_ups=[set_up for cohort in groups for set_up in _set_ups(cohort)],
        cohorts=len(groups),
        others=[run for cohort in groups if cohort not in shown for run in cohort.runs],
        notes=[*notes, *(note for one in conclusions for note in one.notes)],
        data_pages={one.prefix: data_page_url(one.cohort, out_dir) for one in sections},
    )


def _set_ups(cohort: Cohort) -> list[list[Run]]:
    """Put the runs in the order of the tables, repeats together."""
    cells = [
        cohort.cell(amount, k, finished=False)
        for amount in cohort.amounts
        for k in (*range(cohort.unfrozen + 1), *cohort.arms)
    ]
    cells += [[run] for run in cohort.others]  # of other learning rates
    placed = {id(run) for cell in cells for run in cell}
    cells += [[run] for run in cohort.runs if id(run) not in placed]
    return [sorted(cell, key=_by_seed) for cell in cells if cell]


def _by_seed(run: Run) -> tuple:
    return run.seed is None, run.seed or 0, run.name


def _files(report: Report) -> dict[str, bytes]:
    """Return what each file of the report holds, by its path in the folder."""
    files = {}
    for section in report.sections:
        for figure in section.figures:
            files[f"figures/{figure.name}.svg"] = figure.svg
            files[f"figures/{figure.name}.png"] = figure.png
        for amount in section.pictures:
            for picture in (*amount.different, *amount.alike):
                files[f"{PICTURES}/{picture.name}.jpg"] = picture.large
    files["runs.csv"] = runs_csv(report.runs)
    files["summary.json"] = to_json(summarise_report(report))
    files["index.html"] = render(report)
    return files


def _write(files: dict[str, bytes], out_dir: Path) -> None:
    for name, content in files.items():
        (out_dir / name).parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(out_dir / name, "wb") as file:
            file.write(content)
    _remove_old_pictures(files, out_dir)


def _remove_old_pictures(files: dict[str, bytes], out_dir: Path) -> None:
    """Remove pictures of an earlier report, which may show what must not be copied any more."""
    for path in out_dir.glob(f"{PICTURES}/*.jpg"):
        if _PICTURE.fullmatch(path.name) and f"{PICTURES}/{path.name}" not in files:
            path.unlink()
    with contextlib.suppress(OSError):  # it is not there, or holds something else
        (out_dir / PICTURES).rmdir()
