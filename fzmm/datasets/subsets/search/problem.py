"""What subsets should be like, and which of two choices is nearer to that."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np
from scipy import sparse

# Targets are fractions; deviations are kept in units of 1/SCALE of an annotation.
SCALE = 1024

# What rounding allows is the whole number nearest to the target; for strata of these kinds, which
# add up to others and so cannot all be nearest, it is either neighbour.
EITHER_NEIGHBOUR = ("area", "class crowd")
# What these kinds should reach, but give up for the others' sake.
SOFT = ("total", "class crowd", "degenerate")


@dataclass(frozen=True)
class Problem:
    """Subsets to choose together.

    Attributes:
        counts: Count of each stratum in each image, CSR ``(images, strata)``.
        kinds: Kind of each stratum, see ``fzmm.datasets.subsets.strata``.
        fractions: Each subset's share of every stratum.
        cells: Membership of each cell in each subset, bool ``(cells, subsets)``.
        sizes: Number of images of each cell; sums to the number of images.
    """

    counts: sparse.csr_matrix
    kinds: list[str]
    fractions: list[Fraction]
    cells: np.ndarray
    sizes: list[int]


@dataclass(frozen=True)
class Targets:
    """The counts that subsets should have.

    Attributes:
        counts: Target of each stratum in each subset, ``(subsets, strata)`` in 1/SCALE.
        tolerance: How far from it rounding alone may lead, likewise.
        soft: Which strata are given up for the others' sake, bool ``(strata,)``.
    """

    counts: np.ndarray
    tolerance: np.ndarray
    soft: np.ndarray

    @classmethod
    def of(cls, problem: Problem) -> Targets:
        """Return each subset's share of every stratum, and what rounding allows."""
        totals = np.asarray(problem.counts.sum(axis=0)).ravel().tolist()
        counts = np.empty((len(problem.fractions), len(totals)))
        tolerance = np.empty_like(counts)
        for subset, fraction in enumerate(problem.fractions):
            for stratum, total in enumerate(totals):
                exact = fraction * total
                target = round(SCALE * exact)
                near = [round(exact)]
                if problem.kinds[stratum] in EITHER_NEIGHBOUR:
                    near = [floor(exact), ceil(exact)]
                counts[subset, stratum] = target
                tolerance[subset, stratum] = max(abs(SCALE * n - target) for n in near)
        return cls(counts, tolerance, np.array([kind in SOFT for kind in problem.kinds], bool))

    def excess(self, deviation: np.ndarray) -> np.ndarray:
        """Return how much of a deviation, ``(..., subsets, strata)``, rounding does not excuse."""
        return np.maximum(np.abs(deviation) - self.tolerance, 0)

    def score(self, deviation: np.ndarray) -> np.ndarray:
        """Return sums of squares, of which the first that differs tells two choices apart.

        Args:
            deviation: Counts less their targets, ``(..., subsets, strata)``.

        Returns:
            ``(..., 3)``: of the excess that must not be, of that which may, of all deviations.
        """
        excess = self.excess(deviation) ** 2
        hard = excess[..., ~self.soft].sum(axis=(-2, -1))
        soft = excess[..., self.soft].sum(axis=(-2, -1))
        return np.stack([hard, soft, (deviation * deviation).sum(axis=(-2, -1))], axis=-1)
