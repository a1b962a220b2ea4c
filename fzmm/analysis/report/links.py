"""What the report links to: the rows of runs, by their numbers, and the page of the data."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics.cohorts import Cohort
from fzmm.errors import UserError
from fzmm.utils.files import open_regular
from fzmm.utils.pages import GENERATOR

_DATA_PAGE = "data.html"
_MOST_LINKS = 6  # beside one number; of more, the first five are linked and the others counted


class RunLinks:
    """Numbers the runs and names their rows.

    Rows of repeats stand together in a body of their own, so that a number that comes from all of
    them links to, and lights up, them all.
    """

    def __init__(self, set_ups: list[list[Run]]):
        """Number runs in the order given.

        Args:
            set_ups: Runs, repeats together.
        """
        self.set_ups = set_ups
        runs = (run for set_up in set_ups for run in set_up)
        self._number = {id(run): index + 1 for index, run in enumerate(runs)}
        self._bodies = {self._numbers(set_up): self.body(set_up) for set_up in set_ups}

    def number(self, run: Run) -> int:
        """Return a run's number."""
        return self._number[id(run)]

    def body(self, set_up: list[Run]) -> str:
        """Return the id of the table body that holds some repeats."""
        return f"set-up-{self.number(set_up[0])}"

    def target(self, runs) -> str:
        """Return the id to link to for a number that comes from some runs."""
        numbers = self._numbers(runs)
        if len(runs) == 1:
            return f"run-{numbers[0]}"
        return self._bodies.get(numbers, f"run-{numbers[0]}")

    def names(self, runs) -> str:
        """Name runs in plain text: ``R3, R7–R9``."""
        return ", ".join(range_name(*ends) for ends in _ranges(self._numbers(runs)))

    def shown(self, runs) -> tuple[list[tuple[int, int]], int]:
        """Return the ranges of neighbouring numbers to link to, and how many runs that leaves."""
        numbers = self._numbers(runs)
        ranges = _ranges(numbers)
        if len(ranges) <= _MOST_LINKS:
            return ranges, 0
        ranges = ranges[: _MOST_LINKS - 1]
        return ranges, len(numbers) - sum(last - first + 1 for first, last in ranges)

    def _numbers(self, runs) -> tuple[int, ...]:
        return tuple(sorted({self.number(run) for run in runs}))


def range_name(first: int, last: int) -> str:
    """Name one run, or neighbours: ``R3`` or ``R3–R8``."""
    return f"R{first}" if first == last else f"R{first}–R{last}"


def data_page_url(cohort: Cohort, out_dir: Path) -> str | None:
    """Return the link to the page on a cohort's data, seen from a folder, or None without one.

    It lies beside the subsets, by default in ``data/NAME``.
    """
    files = [name for run in cohort.runs for name in (run.train.ann_file, run.val.ann_file) if name]
    folders = dict.fromkeys(Path(name).parent for name in files)
    if cohort.first.dataset:
        folders[Path("data", cohort.first.dataset)] = None
    for folder in folders:
        if _is_ours(folder / _DATA_PAGE):
            return quote(os.fsencode(os.path.relpath(folder / _DATA_PAGE, out_dir)))
    return None


def _ranges(numbers: tuple[int, ...]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], number
        else:
            ranges.append((number, number))
    return ranges


def _is_ours(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            return GENERATOR.encode() in file.read(4096)
    except (OSError, UserError, ValueError):  # ValueError: a path with a null byte
        return False
