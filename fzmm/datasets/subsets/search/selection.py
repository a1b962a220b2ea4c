"""Choosing images by optimisation, so that every stratum of every subset meets its target.

All subsets that depend on one another (disjoint or nested) are chosen together. An image's *cell*
says which of them it belongs to; exchanging the cells of two images keeps every subset's size,
disjointness and nesting, so the search does nothing else. It lowers the weighted sum of squares
``sum_sr weight_sr (count_sr - target_sr)^2`` over subsets s and strata r. For images i in cell p
and j in cell q the change of that sum splits into a part of i, a part of j and ``x_i V x_j``,
which one matrix product gives for tens of thousands of pairs.

A stratum that stays off its target gains weight (as in breakout local search for constraint
satisfaction: Morris, AAAI 1993), and when nothing helps any more it is repaired at the cost of
others, which are repaired in turn.

Every number in the search is whole and, for any real annotation file, far below 2^53, so neither
the machine nor the number of threads changes a bit of the result. Random numbers are raw PCG64
output, whose stream NumPy guarantees.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from fzmm.datasets.subsets.search.problem import SCALE, Problem, Targets

WEIGHTS = {"total": 3, "class": 3, "area": 2, "class crowd": 1}
_MAX_WEIGHT = 2**12

_BLOCK = 15_000  # images that one round looks at for partners, unless it is stuck
_GIVERS = 4_000  # images that one round looks at for what it lacks or has too many of
_PARTNERS = 200
_STUCK = 10  # rounds without progress before a stratum is repaired at the cost of others,
_KICK_EVERY = 3  # and how often that is done
_WIDEN = 30  # rounds without progress before the search for partners looks twice as far
_PATIENCE = 1000  # rounds without progress before giving up,
_SOFT_PATIENCE = 60  # and when only strata are left that are not promised
_ROUGH_SWEEPS = 40
_ATTEMPTS = 4  # searches from the start, of which the best is kept,
_SMALL = 2_000  # for at most so many images, where the limit is often out of reach


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
    max_rounds: int = 8000,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Choose the images of every subset.

    Args:
        problem: What to choose.
        seed: Seed of the search.
        max_rounds: Number of rounds after which a search takes its best choice so far.
        progress: Called with the round and the number of strata still off their tolerance.

    Returns:
        Membership, bool ``(images, subsets)``.
    """
    # The matrices are small: a second thread gains nothing, and on a busy machine waiting for it
    # costs ten times the work itself.
    with threadpool_limits(limits=1, user_api="blas"):
        return _best_of_several(problem, _Random(seed), max_rounds, progress)


def _best_of_several(
    problem: Problem,
    random: _Random,
    max_rounds: int,
    progress: Callable[[int, int], None] | None,
) -> np.ndarray:
    best = None
    for _ in range(_ATTEMPTS if problem.counts.shape[0] <= _SMALL else 1):
        search = _Search(problem, random)
        search.run(max_rounds, progress)
        if best is None or search.best_score < best.best_score:
            best = search
        if best.best_score[0] == 0:
            break
    return problem.cells[best.chosen()]


class _Search:
    """One search; images are kept in a random order, so that neighbours are a random sample."""

    def __init__(self, problem: Problem, random: _Random):
        self.random = random
        self.member = problem.cells.astype(np.int64)
        self.images, self.strata = problem.counts.shape
        self.order = random.permutation(self.images)
        self.x = problem.counts[self.order].astype(np.float64).tocsr()
        self.by_stratum = self.x.tocsc()
        self.subsets = len(problem.fractions)
        self.goal = Targets.of(problem)
        base = np.array([WEIGHTS.get(kind, 2) for kind in problem.kinds], np.float64)
        self.weights = np.tile(base, (self.subsets, 1))
        self.norms = np.tile(self.x.multiply(self.x) @ base, (self.subsets, 1))
        self.cell = np.repeat(np.arange(len(problem.sizes)), problem.sizes)[
            random.permutation(self.images)
        ]
        self.deviation = np.empty((self.subsets, self.strata))

        for subset in range(self.subsets):
            inside = self.member[self.cell, subset].astype(np.float64)
            self.deviation[subset] = SCALE * (self.x.T @ inside) - self.goal.counts[subset]
        present = [cell for cell, size in enumerate(problem.sizes) if size]
        pairs = [(p, q) for p in present for q in present if p < q]
        # Pairs of cells that differ in the fewest subsets disturb the least.
        self.pairs = sorted(pairs, key=lambda pair: (self._distance(*pair), pair))
        self.blocks = [
            slice(start, min(start + _BLOCK, self.images))
            for start in range(0, self.images, _BLOCK)
        ]

        self.block_x = [self.x[block] for block in self.blocks]
        self.best_cell = self.cell.copy()
        self.best_score = self._score()

    def _distance(self, p: int, q: int) -> int:
        return int(np.abs(self.member[p] - self.member[q]).sum())

    def chosen(self) -> np.ndarray:
        """Return the best cell of each image, in the images' own order."""
        cell = np.empty_like(self.best_cell)
        cell[self.order] = self.best_cell
        return cell

    def _excess(self) -> np.ndarray:
        return self.goal.excess(self.deviation)

    def _score(self) -> tuple[float, float, float]:
        return tuple(self.goal.score(self.deviation).tolist())

    def run(self, max_rounds: int, progress: Callable[[int, int], None] | None) -> None:
        """Search until every stratum is within its tolerance, or ``max_rounds`` have passed."""
        if not self.pairs:
            return
        self._rough_phase()
        patience = min(_PATIENCE, 20 * self.images)
        self.reach, since, least = 1, 0, (np.inf, np.inf)
        for number in range(max_rounds):
            score = self._score()
            if score < self.best_score:
                self.best_score, self.best_cell = score, self.cell.copy()
            if progress and number % 20 == 0:
                progress(number, int((self._excess() > 0).sum()))
            better = score[:2] < least
            least = min(least, score[:2])
            since = 0 if better else since + 1
            if better:
                self.reach = 1
            if score[:2] == (0, 0) or since > (patience if least[0] else _SOFT_PATIENCE):
                break
            if since % _WIDEN == _WIDEN - 1:
                self.reach = min(2 * self.reach, len(self.blocks))
            self._aimed_round(number, kick=since >= _STUCK and since % _KICK_EVERY == 0)

    def _rough_phase(self) -> None:
        """Exchange random images where that helps, until it hardly does."""
        closest = self._distance(*self.pairs[0])
        pairs = [pair for pair in self.pairs if self._distance(*pair) == closest]
        before = np.inf
        for _ in range(_ROUGH_SWEEPS):
            for pair in pairs:
                for _ in range(4):
                    self._rough_round(*pair)
            now = float((self.weights * self.deviation * self.deviation).sum())
            if now > 0.8 * before:
                break
            before = now

    def _rough_round(self, p: int, q: int) -> None:
        """Exchange images of two cells, the most useful of a random sample."""
        linear, quadratic = self._pair_weights(p, q)
        block = self.random.below(len(self.blocks))
        x = self.block_x[block]
        gain, norm = x @ linear, self._norm(p, q)[self.blocks[block]]
        first = self.blocks[block].start
        cell = self.cell[self.blocks[block]]
        i, j = np.flatnonzero(cell == p), np.flatnonzero(cell == q)
        if len(i) and len(j):
            i = i[_smallest(SCALE * norm[i] - 2 * gain[i], 300)]
            j = j[_smallest(SCALE * norm[j] + 2 * gain[j], 300)]
            self._exchange(p, q, first + i, first + j, 60)

    def _aimed_round(self, number: int, kick: bool) -> None:
        """Exchange images that repair one stratum, with partners that resemble them otherwise."""
        excess = self._excess()
        urgency = (excess * excess * self.weights).ravel()
        violated = np.flatnonzero(urgency)
        if number % 3 == 0:
            target = int(urgency.argmax())
        else:
            target = int(violated[self.random.below(len(violated))])

        subset, stratum = divmod(target, self.strata)
        before = abs(self.deviation[subset, stratum])
        surplus = self.deviation[subset, stratum] > 0
        inside = self.member[:, subset].astype(bool)
        usable = [(p, q) for p, q in self.pairs if inside[p] != inside[q]]
        if self.random.below(4):
            closest = self._distance(*usable[0])
            usable = [pair for pair in usable if self._distance(*pair) == closest]

        p, q = usable[self.random.below(len(usable))]
        if inside[p] != surplus:  # p gives an image that has the stratum
            p, q = q, p
        linear, quadratic = self._pair_weights(p, q)
        column = slice(*self.by_stratum.indptr[stratum : stratum + 2])
        givers = self.by_stratum.indices[column]
        givers = givers[self.cell[givers] == p]
        if len(givers) > _GIVERS:
            start = self.random.below(len(givers) - _GIVERS)
            givers = givers[start : start + _GIVERS]

        if len(givers):
            norm = self._norm(p, q)
            cost = SCALE * norm[givers] - 2 * (self.x[givers] @ linear)
            givers = givers[_smallest(cost, 600)]
            model = self.x[givers[self.random.below(min(len(givers), 100))]].toarray().ravel()
            takers = []
            start = self.random.below(len(self.blocks))
            for step in range(self.reach):
                block = (start + step) % len(self.blocks)
                candidates = np.flatnonzero(self.cell[self.blocks[block]] == q)
                # (x - model)^2 V and 2 (x - model) L, without what is the same for all.
                cost = self.block_x[block] @ (2 * linear - 2 * SCALE * quadratic * model)
                cost += SCALE * norm[self.blocks[block]]
                best = candidates[_smallest(cost[candidates], max(20, _PARTNERS // self.reach))]
                takers.append(self.blocks[block].start + best)
            sample = givers[self.random.integers(len(givers), 64)]
            givers = np.unique(np.concatenate([givers[:64], sample]))
            takers = np.concatenate(takers)
            if len(takers):
                self._exchange(p, q, givers, takers, 40, stratum if kick else None)

        if abs(self.deviation[subset, stratum]) >= before:
            self._raise_weight(subset, stratum)

    def _raise_weight(self, subset: int, stratum: int) -> None:
        """Give a stratum that resists more weight, so that the search leaves its local minimum."""
        if self.weights[subset, stratum] < _MAX_WEIGHT:
            self.weights[subset, stratum] += 1
            column = slice(*self.by_stratum.indptr[stratum : stratum + 2])
            counts = self.by_stratum.data[column]
            self.norms[subset, self.by_stratum.indices[column]] += counts * counts

    def _norm(self, p: int, q: int) -> np.ndarray:
        """Return ``x V x`` of every image, V being the curvature between two cells."""
        return self.norms[self.member[p] != self.member[q]].sum(axis=0)

    def _pair_weights(self, p: int, q: int) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and curvature for an image that goes from cell q to p, another the other way."""
        sign = (self.member[p] - self.member[q])[:, None]
        return (sign * self.weights * self.deviation).sum(axis=0), (
            np.abs(sign) * self.weights
        ).sum(axis=0)

    def _exchange(
        self, p: int, q: int, i: np.ndarray, j: np.ndarray, limit: int, forced: int | None = None
    ) -> None:
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
            if forced is not None:
                f = int(np.searchsorted(active, forced))
                change[xi[:, f][:, None] <= xj[:, f][None, :]] = np.inf
            a, b = divmod(int(change.argmin()), len(j))
            if change[a, b] >= (0 if forced is None else np.inf):
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
            if forced is not None:
                break


def _smallest(cost: np.ndarray, number: int) -> np.ndarray:
    """Return indices of the ``number`` smallest costs, by cost and then by index."""
    if len(cost) > number:
        # The value is the same whatever algorithm finds it; which of equal costs come first is not.
        limit = np.partition(cost, number - 1)[number - 1]
        less = np.flatnonzero(cost < limit)
        equal = np.flatnonzero(cost == limit)[: number - len(less)]
        index = np.concatenate([less, equal])
    else:
        index = np.arange(len(cost))
    return index[np.argsort(cost[index], kind="stable")]
