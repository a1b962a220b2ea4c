"""Numbers for the runs of a report, and the ids that its numbers link to."""

from __future__ import annotations

from fzmm.analysis.reading.run import Run

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


def _ranges(numbers: tuple[int, ...]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], number
        else:
            ranges.append((number, number))
    return ranges
