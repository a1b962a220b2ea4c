"""The best mAP so far of each scenario, iteration by iteration: what a shorter study had seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics.ranking import choose


@dataclass(frozen=True)
class BestSoFar:
    """Best mAP so far on one data amount.

    Attributes:
        stages: Numbers of trainable stages, the fewest first.
        iterations: Iterations at which every run was evaluated, or had been stopped before, and
            the last of any; shape (iterations,).
        runs: For each scenario the best mAP so far of each run, shape (runs, iterations).
        arms: How many of the scenarios are arms: the last ones.
    """

    stages: tuple[int, ...]
    iterations: np.ndarray
    runs: tuple[np.ndarray, ...]
    arms: int = 0

    @property
    def means(self) -> np.ndarray:
        """Mean over the repeats, shape (scenarios, iterations)."""
        return np.array([values.mean(0) for values in self.runs])

    def leaders(self) -> list[int]:
        """Return the scenario with the highest mean at each iteration."""
        return [self.stages[index] for index in self.means.argmax(0)]

    def orders(self) -> list[tuple[int, ...]]:
        """Return the scenarios at each iteration, that with the highest mean first."""
        ranked = np.argsort(-self.means, axis=0, kind="stable")
        return [tuple(self.stages[index] for index in column) for column in ranked.T]

    def choices(self, margin: float) -> list[int]:
        """Return what would be recommended at each iteration."""
        return [self.choice(column, margin) for column in self.means.T]

    def choice(self, means: np.ndarray, margin: float) -> int:
        """Return what would be recommended for some means, shape (scenarios,)."""
        return self.stages[choose(means, margin, self.arms)]

    def stands_from(self, values: Sequence) -> int:
        """Return the iteration from which on one value an iteration is what it is at the end."""
        last = len(values) - 1
        while last and values[last - 1] == values[-1]:
            last -= 1
        return int(self.iterations[last])


def best_so_far(cells: Mapping[int, Sequence[Run]]) -> BestSoFar | None:
    """Follow the finished runs of one data amount.

    Args:
        cells: Finished runs by trainable stages.

    Returns:
        None where there are fewer than two scenarios, or no iteration that all have in common.
    """
    stages = tuple(sorted(cells))
    curves = [[run.curve() for run in cells[k]] for k in stages]
    iterations = _shared([steps for runs in curves for steps, _ in runs])
    if len(stages) < 2 or not len(iterations):
        return None
    runs = tuple(np.array([_follow(*curve, iterations) for curve in runs]) for runs in curves)
    arms = sum(cells[k][0].arm is not None for k in stages)
    return BestSoFar(stages, iterations, runs, arms)


def _shared(evaluated: list[np.ndarray]) -> np.ndarray:
    if not evaluated or not all(map(len, evaluated)):
        return np.empty(0, dtype=np.int64)
    every = np.unique(np.concatenate(evaluated))
    shared = [np.isin(every, steps) | (every > steps[-1]) for steps in evaluated]
    # a run of another grid counts at the end, where the whole study's means are
    return every[np.all(shared, axis=0) | (every == every[-1])]


def _follow(steps: np.ndarray, values: np.ndarray, iterations: np.ndarray) -> np.ndarray:
    best = np.maximum.accumulate(values)
    return best[np.searchsorted(steps, iterations, side="right") - 1]
