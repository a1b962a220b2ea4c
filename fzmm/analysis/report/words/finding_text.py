"""The findings in words: what each claims, and what was measured."""

from __future__ import annotations

from fzmm.analysis.conclusions.findings.claims import Claim
from fzmm.analysis.report import text

STATEMENTS = {
    1: "Over-training (best minus last mAP) grows as the data shrinks; with everything frozen "
    "there is almost none.",
    2: "The gain from unfreezing shrinks as the data shrinks, most of it lying between 0 and 3 "
    "trainable stages.",
    3: "Training time rises with each trainable stage, except the stem, whose effect is lost in "
    "the noise.",
    4: "The first learning-rate decay lifts every run, less so with 0 or 1 trainable stages; on "
    "subsets the mAP then falls while the training-set mAP keeps rising; the second decay only "
    "slows that fall.",
    5: "From scratch converges later and lower than pretrained, even on all of COCO.",
}

CLAIMS = {
    "grows": "grows as the data shrinks",
    "little_when_frozen": "almost none with everything frozen",
    "shrinks": "shrinks as the data shrinks",
    "most_by_three": "most of it between 0 and 3 trainable stages",
    "rises": "rises with each trainable stage",
    "stem_is_lost": "except the stem",
    "lifts_all": "the first decay lifts every run",
    "less_with_few_stages": "less so with 0 or 1 trainable stages",
    "then_falls": "on subsets the mAP then falls while the training-set mAP rises",
    "second_slows": "the second decay only slows that fall",
    "lower": "converges lower",
    "later": "converges later",
}

_NEEDS = {
    "grows": "needs a scenario with trainable stages on two sizes of data",
    "little_when_frozen": "no run with frozen_stages=4",
    "shrinks": "needs two scenarios on two sizes of data",
    "most_by_three": "needs runs with 0, 3 and 5 trainable stages on one data amount",
    "rises": "needs two scenarios with times",
    "stem_is_lost": "needs runs with 4 and 5 trainable stages",
    "lifts_all": "no run logs a decay between two evaluations",
    "less_with_few_stages": "needs scenarios of both kinds on one data amount",
    "then_falls": "needs two evaluations between the decays, on a subset",
    "second_slows": "needs two evaluations after the second decay, on a subset",
    "lower": "needs a run from scratch and a pretrained unfrozen one on the same data",
    "later": "needs a run from scratch and a pretrained unfrozen one on the same data",
}


def effect(claim: Claim) -> str:
    """Say what was measured, with its interval, or what it would need."""
    if claim.estimate is None:
        return _NEEDS[claim.key]
    return _EFFECTS[claim.key](claim)


def _why(estimate, scale: float = 100) -> str:
    return text.interval(estimate, scale) if estimate.known else "no repeats, no interval"


def _points(estimate) -> str:
    return f"{text.points(estimate.value, True)} ({_why(estimate)})"


def _percent(estimate) -> str:
    return text.minus(f"{100 * estimate.value:+.1f}%") + f" ({_why(estimate)})"


def _grows(claim: Claim) -> str:
    n = claim.numbers
    return (
        f"gap at {n['small']} minus gap at {n['large']}, over {n['evaluations']} evaluations of "
        f"each run, mean over {text.plural(n['scenarios'], 'scenario')} with trainable stages: "
        f"{_points(claim.estimate)}"
    )


def _little_when_frozen(claim: Claim) -> str:
    return (
        f"largest mean gap with every stage frozen: {_points(claim.estimate)}; less than "
        f"{text.points(claim.margin)} counts as almost none"
    )


def _shrinks(claim: Claim) -> str:
    n = claim.numbers
    return (
        f"spread over scenarios {text.points(n['large_spread'])} at {n['large']}, "
        f"{text.points(n['small_spread'])} at {n['small']}; difference beyond noise: "
        f"{_points(claim.estimate)}"
    )


def _most_by_three(claim: Claim) -> str:
    n = claim.numbers
    share = f" ({text.percent(n['share'])})" if n["share"] is not None else ""
    return (
        f"at {n['amount']}: {text.points(n['gain'].value, True)} from 0 to 3, "
        f"{text.points(n['total'].value, True)} from 0 to 5{share}; from 0 to 3 beyond half of the "
        f"whole: {_points(claim.estimate)}"
    )


def _rises(claim: Claim) -> str:
    steps = claim.numbers["steps"].items()
    shown = ", ".join(f"{a}→{b}: {100 * estimate.value:+.1f}%" for (a, b), estimate in steps)
    return f"{text.minus(shown)}; the least certain step: {_percent(claim.estimate)}"


def _stem_is_lost(claim: Claim) -> str:
    return (
        f"5 against 4 trainable: {_percent(claim.estimate)}; less than "
        f"{text.percent(claim.margin)} counts as lost"
    )


def _lifts_all(claim: Claim) -> str:
    n = claim.numbers
    return (
        f"{n['risen']} of {n['total']} runs rise, by {text.points(n['lowest'], True)} to "
        f"{text.points(n['highest'], True)}, on average {text.points(n['average'], True)}; the "
        f"least certain set-up: {_points(claim.estimate)}"
    )


def _less_with_few_stages(claim: Claim) -> str:
    return f"2 or more trainable minus 0 or 1, on the same data: {_points(claim.estimate)}"


def _slope(estimate) -> str:
    return text.minus(f"{100 * estimate.value:+.2g} pp")


def _then_falls(claim: Claim) -> str:
    n = claim.numbers
    shown = (
        f"validation falls in {n['falling']} of {n['total']} runs, by {_slope(claim.estimate)} per "
        "1,000 iterations on average"
    )
    if n["train"] is None:
        return f"{shown}; no run logs training-split mAP"
    return f"{shown}; training-split mAP moves by {_slope(n['train'])}"


def _second_slows(claim: Claim) -> str:
    n = claim.numbers
    return (
        f"{_slope(n['before'])} per 1,000 iterations before the second decay, "
        f"{_slope(n['after'])} after"
    )


def _lower(claim: Claim) -> str:
    return f"pretrained minus from scratch: {_points(claim.estimate)}"


def _later(claim: Claim) -> str:
    (pretrained, scratch), first = claim.numbers["best_at"], claim.numbers["first"]
    return (
        f"best at iteration {pretrained:,.0f} pretrained, {scratch:,.0f} from scratch; first "
        f"evaluation {text.map_(first[0])} and {text.map_(first[1])}"
    )


_EFFECTS = {
    "grows": _grows,
    "little_when_frozen": _little_when_frozen,
    "shrinks": _shrinks,
    "most_by_three": _most_by_three,
    "rises": _rises,
    "stem_is_lost": _stem_is_lost,
    "lifts_all": _lifts_all,
    "less_with_few_stages": _less_with_few_stages,
    "then_falls": _then_falls,
    "second_slows": _second_slows,
    "lower": _lower,
    "later": _later,
}
