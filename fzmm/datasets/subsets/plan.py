"""What subsets to make: their sizes, and which share no image or contain one another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np

from fzmm.errors import UserError

# The subsets of the thesis (section 4.1): half of COCO, and three different quarters.
DEFAULT_SUBSETS = ("coco50=0.5", "coco25-1=0.25", "coco25-2=0.25", "coco25-3=0.25")
DEFAULT_DISJOINT = ("coco25-1,coco25-2,coco25-3",)

_MAX_CELLS = 4096
_MIXED_CELLS = 64  # up to so many, subsets overlap as independent draws would; more are slow
_RESERVED = ("summary",)  # names of other outputs
_MAX_NAME = 200  # bytes; file systems take 255 with the extension
# What some file system or shell does not take, and what stands for bytes that are not text.
_NOT_IN_NAMES = re.compile('[/\\\\:*?"<>|,\x00-\x1f\x7f\ud800-\udfff]')


@dataclass(frozen=True)
class Subset:
    """One subset of a plan.

    Attributes:
        name: Its name, and its file's without ``.json``.
        num_images: Its exact number of images.
        fraction: The share of every stratum it should have.
    """

    name: str
    num_images: int
    fraction: Fraction


@dataclass(frozen=True)
class Plan:
    """Subsets and how they relate.

    Attributes:
        subsets: The subsets in the order in which they were asked for.
        disjoint: Pairs of indices of subsets that share no image.
        nested: Pairs of indices ``(outer, inner)``.
    """

    subsets: list[Subset]
    disjoint: list[tuple[int, int]]
    nested: list[tuple[int, int]]

    def components(self) -> list[list[int]]:
        """Return the subsets grouped so that only those in one group depend on each other."""
        group = list(range(len(self.subsets)))
        for a, b in (*self.disjoint, *self.nested):
            group = [group[a] if value == group[b] else value for value in group]
        return [
            [index for index, value in enumerate(group) if value == root]
            for root in dict.fromkeys(group)
        ]


def make_plan(
    subsets: Sequence[str],
    num_images: int,
    disjoint: Sequence[str] = (),
    nested: Sequence[str] = (),
) -> Plan:
    """Make a plan from what a user writes.

    Args:
        subsets: ``NAME=0.25`` for a fraction of the images (rounded as Python's ``round`` does),
            ``NAME=5000`` for a number of them.
        num_images: Number of images of the full set.
        disjoint: Groups ``A,B,...`` of subsets that share no image.
        nested: Chains ``A,B,...`` in which each contains the next.

    Raises:
        UserError: If a part cannot be read or the whole cannot be fulfilled.
    """
    parsed = [parse_subset(text, num_images) for text in subsets]
    if not parsed:
        raise UserError("no subset is asked for; give --subset NAME=FRACTION")
    index: dict[str, int] = {}
    for position, subset in enumerate(parsed):
        if subset.name.lower() in index:  # some file systems do not tell case apart
            raise UserError(f"--subset {subset.name}: two subsets have this name; rename one")
        index[subset.name.lower()] = position

    apart: set[tuple[int, int]] = set()
    within: list[tuple[int, int]] = []
    for text in disjoint:
        members = _parse_group(text, "--disjoint", index)
        total = sum(parsed[i].num_images for i in members)
        share = sum(parsed[i].fraction for i in members)
        if share > 1:
            raise UserError(
                f"--disjoint {text}: fractions sum to {float(share):.12g}, above 1; "
                "make them smaller"
            )
        if total > num_images:
            raise UserError(
                f"--disjoint {text}: together {total} images of {num_images}; make a subset smaller"
            )
        apart.update(tuple(sorted(pair)) for pair in combinations(members, 2))

    for text in nested:
        for outer, inner in pairwise(_parse_group(text, "--nested", index)):
            if parsed[outer].num_images < parsed[inner].num_images:
                raise UserError(
                    f"--nested {text}: {parsed[outer].name} has fewer images than "
                    f"{parsed[inner].name}; name the larger first"
                )
            within.append((outer, inner))

    return Plan(parsed, sorted(apart), within)


def cells_of(plan: Plan, component: Sequence[int], num_images: int) -> tuple[np.ndarray, list[int]]:
    """Return the memberships that an image may have in a group of dependent subsets.

    Args:
        plan: The plan.
        component: Indices of the group's subsets.
        num_images: Number of images of the full set.

    Returns:
        Membership of each cell, bool ``(cells, subsets)``, and each cell's number of images.

    Raises:
        UserError: If the sizes cannot be fulfilled together.
    """
    place = {subset: column for column, subset in enumerate(component)}
    apart = [(place[a], place[b]) for a, b in plan.disjoint if a in place]
    within = [(place[a], place[b]) for a, b in plan.nested if a in place]
    cells: list[tuple[bool, ...]] = [()]
    for column in range(len(component)):
        grown = []
        for cell in cells:
            for inside in (True, False):
                longer = (*cell, inside)
                if _is_allowed(longer, column, apart, within):
                    grown.append(longer)
        cells = grown
        if len(cells) > _MAX_CELLS:
            raise UserError(
                "--nested/--disjoint: too many overlapping groups to keep track of; "
                "make the subsets in several calls"
            )

    member = np.array(cells, dtype=bool).reshape(len(cells), len(component))
    return member, _cell_sizes(member, [plan.subsets[index] for index in component], num_images)


def _is_allowed(cell, column, apart, within) -> bool:
    for a, b in apart:
        if max(a, b) == column and cell[a] and cell[b]:
            return False
    return all(
        cell[outer] or not cell[inner] for outer, inner in within if max(outer, inner) == column
    )


def _cell_sizes(member: np.ndarray, subsets: Sequence[Subset], num_images: int) -> list[int]:
    """Return whole sizes of the cells that add up to those of the subsets and of the full set.

    Where that leaves a choice, as for two subsets that are both nested in a third, they overlap as
    independent draws would; else they might well be one and the same.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    sizes = [subset.num_images for subset in subsets]
    # Distinct costs leave one optimum, so that every version of the solver finds the same.
    cost = np.array([1 + (index * 7919 % 10007) / 10007 for index in range(len(member))])
    matrix = np.vstack([member.T.astype(float), np.ones(len(member))])
    right = np.array([*sizes, num_images], float)
    usual = _independent_sizes(member, sizes, num_images)

    for slack in (0, 1, 4, np.inf):
        # Whatever rounding error the sizes have, it does not reach the whole numbers.
        least = np.maximum(np.floor(usual + 1e-6) - slack, 0)
        solution = milp(
            cost,
            constraints=LinearConstraint(matrix, right - matrix @ least, right - matrix @ least),
            integrality=np.ones(len(member)),
            bounds=Bounds(0, np.inf),
        )
        if solution.success:
            return [round(value) for value in least + solution.x]

    names = ", ".join(subset.name for subset in subsets)
    raise UserError(
        f"--disjoint/--nested: subsets {names} of these sizes cannot all be made "
        f"from {num_images} images; make them smaller or drop a condition"
    )


def _independent_sizes(member: np.ndarray, sizes: Sequence[int], num_images: int) -> np.ndarray:
    """Fit the cells' sizes to the subsets' by iterative proportional fitting.

    Of all sizes that fit, these have the largest entropy (Ireland and Kullback, Biometrika 1968).
    """
    if len(member) > _MIXED_CELLS:
        return np.zeros(len(member))
    share = np.full(len(member), 1 / len(member))
    for _ in range(500):
        for inside, size in zip(member.T, sizes, strict=True):
            for part, wanted in ((inside, size), (~inside, num_images - size)):
                total = share[part].sum()
                if total > 0:
                    share[part] *= wanted / num_images / total
    return num_images * share


def parse_subset(text: str, num_images: int | None = None) -> Subset:
    """Read ``NAME=FRACTION`` or ``NAME=IMAGES``.

    ``NAME=1`` is the whole set, not one image.

    Args:
        text: What the user wrote.
        num_images: Number of images of the full set; if it is not known yet, only the syntax and
            the name are checked.

    Raises:
        UserError: If it cannot be read or fulfilled.
    """
    name, separator, amount = text.partition("=")
    where = f"--subset {text}"
    if not separator:
        raise UserError(f"{where}: is not NAME=FRACTION or NAME=IMAGES; write coco25=0.25")
    if not name or name in (".", "..") or _NOT_IN_NAMES.search(name):
        raise UserError(f"{where}: {name!r} is not a plain file name; leave out folders and signs")
    if len(name.encode()) > _MAX_NAME:
        raise UserError(f"--subset {name[:20]}...: the name is too long for a file; shorten it")
    if name.startswith((".", "-")) or name.lower() in _RESERVED or name != name.strip():
        raise UserError(f"{where}: {name!r} cannot name a subset; choose another name")
    value = parse_number(amount)

    if value is None:
        raise UserError(f"{where}: {amount!r} is not a number; write a fraction or images")
    whole = 10**50 if num_images is None else num_images
    if re.fullmatch(r"\+?[0-9]+", amount) and value > 1:
        images, fraction = int(value), Fraction(int(value), whole)
        if images > whole:
            raise UserError(f"{where}: asks for {images} images of {num_images}; ask for fewer")
    elif 0 < value <= 1:
        images, fraction = round(whole * value), value
    else:
        raise UserError(f"{where}: the fraction is outside (0, 1]; write for example 0.25")

    if images < 1 and num_images is not None:
        raise UserError(f"{where}: leaves no image of {num_images}; ask for more")
    return Subset(name, images, fraction)


def parse_number(text: str) -> Fraction | None:
    """Read a plain decimal number exactly; return None if ``text`` is not one.

    ``Fraction`` alone would also take ``1/3``, ``1_000`` and exponents that fill the memory.
    """
    if not re.fullmatch(r"[+-]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})(e-?[0-9]{1,2})?", text):
        return None
    return Fraction(text)


def _parse_group(text: str, option: str, index: dict[str, int]) -> list[int]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name.lower() not in index:
            raise UserError(
                f"{option} {text}: {name!r} is no subset of the plan; add --subset {name}=..."
            )
    members = [index[name.lower()] for name in names]
    if len(members) < 2 or len(set(members)) != len(members):
        raise UserError(f"{option} {text}: name at least two different subsets")
    return members
