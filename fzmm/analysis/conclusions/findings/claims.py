"""What a finding claims, and the rules by which a claim holds, fails or stays open.

A claim holds only where a 95% interval of the pooled noise says so. Where the noise was not
measured, the runs can at most point its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics.estimates import Estimate

HOLDS, POINTS = "holds here", "points that way"
FAILS, OPEN = "does not hold here", "not enough runs"


@dataclass(frozen=True)
class Claim:
    """One claim of a finding, in numbers.

    Attributes:
        key: Short name; the finding's module says what it claims.
        verdict: ``HOLDS``, ``POINTS``, ``FAILS`` or ``OPEN``.
        estimate: The number that decides; None where the runs do not give it.
        margin: What ``estimate`` is held against; 0 for a claim that it is above zero.
        numbers: Further numbers by name; the finding's module says what each is.
        runs: The runs they come from.
    """

    key: str
    verdict: str = OPEN
    estimate: Estimate | None = None
    margin: float = 0.0
    numbers: dict[str, Any] = field(default_factory=dict)
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One of the five findings.

    Attributes:
        number: 1 to 5, as in the thesis's conclusions.
        claims: The claims it is made of.
    """

    number: int
    claims: tuple[Claim, ...]

    @property
    def verdict(self) -> str:
        """The weakest verdict of its claims; ``FAILS`` if one fails."""
        return all_of([claim.verdict for claim in self.claims])


def all_of(verdicts: Sequence[str]) -> str:
    """Return the verdict on several claims together, each of which must hold."""
    for verdict in (FAILS, OPEN, POINTS):
        if verdict in verdicts:
            return verdict
    return HOLDS if verdicts else OPEN


def above(estimate: Estimate, margin: float = 0.0) -> str:
    """Judge the claim that a value lies above the margin."""
    if not estimate.known:
        return POINTS if estimate.value > margin else OPEN
    if estimate.low > margin:
        return HOLDS
    return FAILS if estimate.high < margin else OPEN


def below(estimate: Estimate, margin: float) -> str:
    """Judge the claim that a value lies below the margin."""
    if not estimate.known:
        return POINTS if estimate.value < margin else OPEN
    if estimate.high < margin:
        return HOLDS
    return FAILS if estimate.low > margin else OPEN


def within(estimate: Estimate, margin: float) -> str:
    """Judge the claim that a value is zero but for the margin: two one-sided tests (TOST).

    Both tests at 2.5% are the 95% interval's lying within the margin (Schuirmann 1987).
    """
    lower = Estimate(-estimate.value, _negative(estimate.high), _negative(estimate.low))
    return all_of([below(estimate, margin), below(lower, margin)])


def least(estimates: Sequence[Estimate]) -> Estimate:
    """Return the estimate with the least lower end (without intervals, the least value)."""
    return min(estimates, key=lambda e: e.low if e.known else e.value)


def greatest(estimates: Sequence[Estimate]) -> Estimate:
    """Return the estimate with the greatest upper end (without intervals, the greatest value)."""
    return max(estimates, key=lambda e: e.high if e.known else e.value)


def _negative(value: float | None) -> float | None:
    return None if value is None else -value
