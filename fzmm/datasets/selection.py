"""Choosing images by optimisation, so that every stratum of every subset meets its target.

All subsets that depend on one another (disjoint or nested) are chosen together. An image's *cell* says
which of them it belongs to; exchanging the cells of two images keeps every subset's size, disjointness
and nesting as they are, so the search only ever exchanges cells. It minimises the weighted sum of squared deviations
``sum_sr weight_sr (count_sr - target_sr)^2`` over subsets s and strata r. For images i in cell p and j in
cell q the change of that sum splits into a part of i, a part of j and the product ``x_i V x_j``,
which one matrix product gives for hundreds of thousands of pairs.

Everything that is computed is a whole number below 2^53, so that neither the machine nor the number of
threads changes a bit of the result, and random numbers come from raw PCG64 output, which NumPy never changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy import sparse

# Targets are fractions; deviations are kept in units of 1/SCALE of an annotation.
SCALE = 64

# Deviation that rounding allows: the nearest whole number, or (for strata that add up to others and
# cannot all be nearest) either neighbour.
NEAREST, NEIGHBOUR = SCALE // 2, SCALE - 1
TOLERANCES = {"area": NEIGHBOUR, "class crowd": NEIGHBOUR}
WEIGHTS = {"total": 3, "class": 3, "area": 2, "class crowd": 1}
_MAX_WEIGHT = 2**12


@dataclass(frozen=True)
class Problem:
    """Subsets to choose together.

    Attributes:
        counts: Count of each stratum in each image, CSR ``(images, strata)``.
        kinds: Kind of each stratum, see ``fzmm.datasets.strata``.
        fractions: Each subset's share of every stratum.
        cells: Membership of each cell in each subset, bool ``(cells, subsets)``.
        sizes: Number of images of each cell; sums to the number of images.
    """

    counts: sparse.csr_matrix
    kinds: list[str]
    fractions: list[Fraction]
    cells: np.ndarray
    sizes: list[int]


class _Random:
    """Random numbers that are the same for every NumPy version."""

    def __init__(self, seed: int):
        self._bits = np.random.PCG64(seed)

    def integers(self, bound: int, size: int) -> np.ndarray:
        return (self._bits.random_raw(size) % np.uint64(bound)).astype(np.int64)

    def below(self, bound: int) -> int:
        return int(self._bits.random_raw()) % bound

    def permutation(self, size: int) -> np.ndarray:
        return np.argsort(self._bits.random_raw(size), kind="stable")


def choose(
    problem: Problem,
    seed: int = 0,
    max_rounds: int = 2000,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Choose the images of every subset.

    Args:
        problem: What to choose.
        seed: Seed of the search.
        max_rounds: Number of rounds after which the best choice so far is taken.
        progress: Called with the round and the number of strata still off their tolerance.

    Returns:
        Membership, bool ``(images, subsets)``.
    """
    search = _Search(problem, _Random(seed))
    search.run(max_rounds, progress)
    return problem.cells[search.best_cell]


class _Search:
    def __init__(self, problem: Problem, random: _Random):
        self.random = random
        self.member = problem.cells.astype(np.int64)
        self.x = problem.counts.astype(np.float64).tocsr()
        self.x_squared = self.x.multiply(self.x).tocsr()
        self.by_stratum = problem.counts.tocsc()
        self.images, self.strata = self.x.shape
        totals = np.asarray(problem.counts.sum(axis=0)).ravel()
        self.targets = np.array(
            [
                [round(SCALE * fraction * int(total)) for total in totals]
                for fraction in problem.fractions
            ],
            dtype=np.float64,
        ).reshape(len(problem.fractions), self.strata)
        kinds = problem.kinds
        self.tolerance = np.array([TOLERANCES.get(kind, NEAREST) for kind in kinds], np.float64)
        base = np.array([WEIGHTS.get(kind, 2) for kind in kinds], np.float64)
        self.weights = np.tile(base, (len(problem.fractions), 1))
        self.cell = np.empty(self.images, np.int64)
        self.cell[random.permutation(self.images)] = np.repeat(
            np.arange(len(problem.sizes)), problem.sizes
        )
        self.deviation = np.empty_like(self.targets)
        for subset in range(len(problem.fractions)):
            inside = self.member[self.cell, subset].astype(np.float64)
            self.deviation[subset] = SCALE * (self.x.T @ inside) - self.targets[subset]
        self.pairs = [
            (p, q)
            for p in range(len(problem.sizes))
            for q in range(p + 1, len(problem.sizes))
            if problem.sizes[p] and problem.sizes[q]
        ]
        self.best_cell = self.cell.copy()
        self.best_score = self._score()

    def _excess(self) -> np.ndarray:
        return np.maximum(np.abs(self.deviation) - self.tolerance, 0)

    def _score(self) -> tuple[float, float]:
        excess = self._excess()
        return float((excess * excess).sum()), float((self.deviation * self.deviation).sum())

    def run(self, max_rounds: int, progress: Callable[[int, int], None] | None) -> None:
        if not self.pairs:
            return
        rough = min(max_rounds, 40 * len(self.pairs))
        for number in range(max_rounds):
            if number < rough:
                self._rough_round(*self.pairs[number % len(self.pairs)])
            else:
                self._aimed_round(number - rough)
            score = self._score()
            if score < self.best_score:
                self.best_score, self.best_cell = score, self.cell.copy()
            if progress and number % 20 == 0:
                progress(number, int((self._excess() > 0).sum()))
            if self.best_score[0] == 0 and number >= rough:
                break

    def _rough_round(self, p: int, q: int) -> None:
        """Exchange images of two cells, the most useful of a random sample."""
        linear, quadratic = self._pair_weights(p, q)
        i, j = np.flatnonzero(self.cell == p), np.flatnonzero(self.cell == q)
        i, j = self._sample(i, 4000), self._sample(j, 4000)
        gain, norm = self.x @ linear, self.x_squared @ quadratic
        i = i[np.argsort(-2 * gain[i] + SCALE * norm[i], kind="stable")[:500]]
        j = j[np.argsort(2 * gain[j] + SCALE * norm[j], kind="stable")[:500]]
        self._exchange(p, q, i, j, 60)

    def _aimed_round(self, number: int) -> None:
        """Exchange images that mend one stratum, with partners that resemble them otherwise."""
        excess = self._excess()
        order = np.argsort(-(excess * excess * self.weights).ravel(), kind="stable")
        violated = int((excess > 0).sum())
        if not violated:
            return
        pick = 0 if number % 3 == 0 else self.random.below(violated)
        subset, stratum = divmod(int(order[pick]), self.strata)
        before = abs(self.deviation[subset, stratum])
        surplus = self.deviation[subset, stratum] > 0
        inside = self.member[:, subset].astype(bool)
        usable = [(p, q) for p, q in self.pairs if inside[p] != inside[q]]
        p, q = usable[self.random.below(len(usable))]
        if inside[p] != surplus:  # p gives an image that has the stratum
            p, q = q, p
        linear, quadratic = self._pair_weights(p, q)
        gain, norm = self.x @ linear, self.x_squared @ quadratic
        column = slice(*self.by_stratum.indptr[stratum : stratum + 2])
        holders = self.by_stratum.indices[column]
        givers = np.sort(holders[self.cell[holders] == p])
        takers = np.flatnonzero(self.cell == q)
        if len(givers) and len(takers):
            cost = -2 * gain[givers] + SCALE * norm[givers]
            givers = givers[np.argsort(cost, kind="stable")[:1200]]
            model = givers[self.random.below(min(len(givers), 100))]
            likeness = self.x @ (quadratic * self.x[model].toarray().ravel())
            cost = 2 * gain[takers] + SCALE * (norm[takers] - 2 * likeness[takers])
            takers = takers[np.argsort(cost, kind="stable")[:300]]
            sample = givers[self.random.integers(len(givers), 150)]
            givers = np.unique(np.concatenate([givers[:150], sample, [model]]))
            self._exchange(p, q, givers, takers, 40)
        if abs(self.deviation[subset, stratum]) >= before:
            weight = self.weights[subset, stratum]
            self.weights[subset, stratum] = min(weight + 1, _MAX_WEIGHT)

    def _sample(self, images: np.ndarray, size: int) -> np.ndarray:
        if len(images) <= size:
            return images
        return np.unique(images[self.random.integers(len(images), size)])

    def _pair_weights(self, p: int, q: int) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and curvature for an image that goes from cell q to p in exchange for another."""
        sign = (self.member[p] - self.member[q])[:, None]
        return (sign * self.weights * self.deviation).sum(axis=0), (
            np.abs(sign) * self.weights
        ).sum(axis=0)

    def _exchange(self, p: int, q: int, i: np.ndarray, j: np.ndarray, limit: int) -> None:
        """Exchange the best pair of images ``i`` (cell p) and ``j`` (cell q), again and again."""
        xi, xj = self.x[i].toarray(), self.x[j].toarray()
        active = np.flatnonzero(xi.any(axis=0) | xj.any(axis=0))
        xi, xj = xi[:, active], xj[:, active]
        linear, quadratic = self._pair_weights(p, q)
        v = quadratic[active]
        gradient = linear[active]
        product = (xi * v) @ xj.T
        norm_i, norm_j = (xi * xi) @ v, (xj * xj) @ v
        sign = (self.member[p] - self.member[q])[:, None]
        for _ in range(limit):
            change = 2 * (xj @ gradient) + SCALE * norm_j
            change = change[None, :] - (2 * (xi @ gradient) - SCALE * norm_i)[:, None]
            change -= (2 * SCALE) * product
            a, b = divmod(int(change.argmin()), len(j))
            if change[a, b] >= 0:
                break
            moved = SCALE * (xj[b] - xi[a])
            self.deviation[:, active] += sign * moved
            gradient += v * moved
            self.cell[i[a]], self.cell[j[b]] = q, p
            i[a], j[b] = j[b], i[a]
            xi[a], xj[b] = xj[b], xi[a].copy()
            norm_i[a], norm_j[b] = norm_j[b], norm_i[a]
            product[a] = xj @ (xi[a] * v)
            product[:, b] = xi @ (xj[b] * v)
