"""Whether the schedule was long enough, and which scenario leads when.

Frozen runs converge earlier, so that a study cut short favours freezing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics.best_so_far import best_so_far

FIFTH = 0.2
LONGEST = 4  # times the schedule; further than that nothing at hand tells


@dataclass(frozen=True)
class ScheduleLength:
    """What the ends of the curves of one data amount say about the schedule.

    Attributes:
        rises: Mean rise of the mAP over the last fifth of training, by trainable stages; no more
            than what it adds to the best mAP so far.
        still_rising: Scenarios that rise by more than the margin.
        uneven: Whether one scenario rises by more than half of the margin more than another.
        enough: Iterations after which no scenario would rise by more than the margin over a
            fifth of today's schedule (half of it where rises are uneven), if rises go on to shrink
            as they did; None if none is needed.
        settles: Whether ``enough`` would settle it. Where rises do not shrink yet, so slowly that
            more than four times the schedule were needed, or by a decay of the learning rate, it is
            when to look again.
        leaders: (iteration, trainable stages): from when on which scenario has the highest best
            mAP so far; the last entry says from where on the order stands.
    """

    rises: dict[int, float]
    still_rising: tuple[int, ...]
    uneven: bool
    enough: int | None
    settles: bool
    leaders: tuple[tuple[int, int], ...]

    @property
    def too_short(self) -> bool:
        """Whether the order of the scenarios may still change."""
        return bool(self.still_rising) or self.uneven

    @property
    def fastest(self) -> int:
        """The scenario that rises most."""
        return max(self.rises, key=self.rises.get)

    @property
    def slowest(self) -> int:
        """The scenario that rises least."""
        return min(self.rises, key=self.rises.get)


def schedule_length(cells: Mapping[int, Sequence[Run]], margin: float) -> ScheduleLength:
    """Look at the last fifth of the runs of one data amount.

    Args:
        cells: Finished runs by trainable stages.
        margin: Rise that does not matter, in mAP.
    """
    rises = {k: _mean_rise(runs, 0) for k, runs in cells.items()}
    rises = {k: rise for k, rise in rises.items() if rise is not None}
    still = tuple(k for k, rise in rises.items() if rise > margin)
    positive = [max(rise, 0.0) for rise in rises.values()]
    uneven = len(positive) > 1 and max(positive) - min(positive) > margin / 2
    rising, limit = still, margin
    if uneven and not still:
        rising, limit = (max(rises, key=rises.get),), margin / 2
    lengths = [_enough(cells[k], rises[k], limit) for k in rising]
    enough = max((length for length, _ in lengths), default=None)
    settles = all(known for _, known in lengths)
    return ScheduleLength(rises, still, uneven, enough, settles, _leaders(cells))


def _mean_rise(runs: Sequence[Run], fifths_before: int) -> float | None:
    rises = [_rise(run, fifths_before) for run in runs]
    rises = [rise for rise in rises if rise is not None]
    return float(np.mean(rises)) if rises else None


def _rise(run: Run, fifths_before: int) -> float | None:
    """Return the rise over a fifth of training, by a line through its evaluations.

    It is no more than what the fifth adds to the best mAP so far: a curve that comes back from a
    dip to where it was before has not risen.
    """
    steps, values = run.curve()
    if len(steps) < 3:
        return None
    length = max(run.max_iterations or 0, int(steps[-1])) if not run.stop_reason else int(steps[-1])
    end = length * (1 - FIFTH * fifths_before)
    inside = (steps >= end - FIFTH * length) & (steps <= end)
    if inside.sum() < 3:
        inside = np.isin(steps, steps[steps <= end][-3:])
    if inside.sum() < 3:
        return None
    slope = np.polyfit(steps[inside] / length, values[inside], 1)[0]
    before = values[steps < steps[inside][0]]
    added = values[inside].max() - before.max(initial=0.0)
    return float(min(slope * FIFTH, added))


def _enough(runs: Sequence[Run], rise: float, limit: float) -> tuple[int, bool]:
    """Extend the shrinking of the rise from fifth to fifth until it is within the limit.

    Returns:
        Iterations, and whether they are enough: else it is when to look again.
    """
    length = max(run.max_iterations or int(run.curve()[0][-1]) for run in runs)
    before = _mean_rise(runs, 1)
    # a decay lifts one fifth and flattens the next: how rises shrink there says nothing
    decays = [step for run in runs for step in run.milestones if step > (1 - 2 * FIFTH) * length]
    if before is None or rise >= before or decays:
        return 2 * length, False
    fifths = math.ceil(math.log(limit / rise) / math.log(rise / before)) if limit > 0 else 99
    times = 1 + FIFTH * fifths
    return round(length * min(times, LONGEST)), times <= LONGEST


def _leaders(cells: Mapping[int, Sequence[Run]]) -> tuple[tuple[int, int], ...]:
    best = best_so_far(cells)
    if best is None:
        return ()
    leaders = best.leaders()
    return tuple(
        (int(step), leader)
        for step, leader, before in zip(best.iterations, leaders, [None, *leaders], strict=False)
        if leader != before
    )
