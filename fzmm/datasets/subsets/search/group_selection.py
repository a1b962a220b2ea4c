"""Choosing whole groups of images: the search of ``selection``, with groups in place of images.

That search only exchanges, which for groups of different sizes is not enough: a group must also be
able to move by itself. So there are groups without images beside the real ones, and to exchange
one with those is to move. How many images a subset gets then follows from what is chosen: it is
one more thing to keep, scaled to the number of annotations.

Of few groups every choice is looked at: a search by exchange ends where two exchanges at once would
have been nearer, and with a handful of groups that is far off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import sparse

from fzmm.datasets.subsets.image_groups import ImageGroups
from fzmm.datasets.subsets.search.problem import SCALE, Problem, Targets
from fzmm.datasets.subsets.search.selection import choose

IMAGES = "images"  # kind of the stratum that counts images
_ROUNDS = 400  # after which groups hardly get any better
_FEW = 2**16  # choices, up to which all are looked at,
_AT_ONCE = 2**10  # and so many of them together
_MANY = 20_000  # groups and empty ones, above which there are no more of these than are of use


def choose_groups(
    problem: Problem,
    groups: ImageGroups,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Choose the images of every subset so that none has a part of a group.

    Args:
        problem: What to choose; ``sizes`` say which cells hold images at all.
        groups: Which images belong together.
        seed: Seed of the search.
        progress: See ``fzmm.datasets.subsets.search.selection.choose``.

    Returns:
        Membership, bool ``(images, subsets)``; numbers of images are as near to those of
        ``problem`` as groups allow.
    """
    sizes = groups.sizes
    if (sizes == 1).all():
        return choose(problem, seed, progress=progress)
    slots = _slots(np.array(problem.sizes), len(sizes))
    counts = _counts_of_groups(problem, groups)
    grouped = replace(problem, counts=counts, kinds=[*problem.kinds, IMAGES], sizes=slots)
    if np.count_nonzero(slots) ** len(sizes) <= _FEW:
        return _nearest_of_all(grouped)[groups.index]

    empty = sparse.csr_matrix((sum(slots) - len(sizes), counts.shape[1]), dtype=np.int64)
    padded = replace(grouped, counts=sparse.vstack([counts, empty]).tocsr())
    return choose(padded, seed, _ROUNDS, progress)[groups.index]


def _nearest_of_all(problem: Problem) -> np.ndarray:
    """Return the membership, bool ``(groups, subsets)``, that is nearest of all there are."""
    cells = problem.cells[np.array(problem.sizes) > 0]
    counts, goal = problem.counts.toarray(), Targets.of(problem)
    places = len(cells) ** np.arange(len(counts))
    choices = len(cells) ** len(counts)
    best, nearest = (np.inf,), cells[:1]
    for start in range(0, choices, _AT_ONCE):
        numbers = np.arange(start, min(start + _AT_ONCE, choices))
        members = cells[numbers[:, None] // places % len(cells)]
        score = goal.score(SCALE * np.einsum("ngs,gc->nsc", members, counts) - goal.counts)
        first = np.lexsort(score.T[::-1])[0]
        if tuple(score[first]) < best:
            best, nearest = tuple(score[first]), members[first]
    return nearest


def _counts_of_groups(problem: Problem, groups: ImageGroups) -> sparse.csr_matrix:
    """Sum the images' counts, and append the number of images.

    An image weighs as much as its share of the annotations, else being off by a tenth of the images
    would count less than being off by a tenth of the boxes.
    """
    images = problem.counts.shape[0]
    sums = sparse.csr_matrix(
        (np.ones(images, np.int64), (groups.index, np.arange(images))),
        shape=(len(groups.names), images),
    )
    total = np.array([kind == "total" for kind in problem.kinds], bool)
    weight = max(1, round(problem.counts[:, total].sum() / images))
    return (
        sparse.hstack([sums @ problem.counts, weight * groups.sizes[:, None]])
        .tocsr()
        .astype(np.int64)
    )


def _slots(sizes: np.ndarray, groups: int) -> list[int]:
    """Return how many groups, empty ones included, each cell holds.

    With as many places as there are groups, a cell may get whichever of them; where that is too
    many, it may get twice its share.
    """
    held = sizes > 0
    if groups * held.sum() <= _MANY:
        return (held * groups).tolist()
    share = np.ceil(sizes * (groups / sizes.sum())).astype(int)
    return (held * (2 * share + 2)).tolist()
