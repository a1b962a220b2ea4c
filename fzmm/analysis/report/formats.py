"""How numbers are written: mAP in percent, differences in percentage points, times, ranges."""

from __future__ import annotations

from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics.estimates import Estimate
from fzmm.utils.durations import decimal_duration

UNKNOWN = "unknown"


def map_(value: float | None, digits: int = 1) -> str:
    """Write a mAP in percent: 0.377 is ``37.7``."""
    return UNKNOWN if value is None else f"{100 * value:.{digits}f}"


def points(value: float | None, sign: bool = False, digits: int = 1) -> str:
    """Write a difference of mAP in percentage points: 0.004 is ``0.4 pp``."""
    if value is None:
        return UNKNOWN
    value = round(100 * value, digits) + 0.0  # no "-0.0"
    return minus(f"{value:+.{digits}f} pp" if sign else f"{value:.{digits}f} pp")


def minus(text: str) -> str:
    """Write minus signs as such: a hyphen is hard to see before a digit."""
    return text.replace("-", "−")


def interval(estimate: Estimate, scale: float = 100, digits: int = 1) -> str:
    """Write an estimate's interval: ``95% 24.8 to 25.6``; empty where there is none."""
    if not estimate.known:
        return ""
    low, high = (round(scale * v, digits) + 0.0 for v in (estimate.low, estimate.high))
    return minus(f"95% {low:,.{digits}f} to {high:,.{digits}f}")


def percent(ratio: float | None, digits: int = 0) -> str:
    """Write a share: 0.62 is ``62%``."""
    return UNKNOWN if ratio is None else f"{100 * ratio:.{digits}f}%"


def count(value: int | None) -> str:
    """Write a whole number with thousands apart."""
    return UNKNOWN if value is None else f"{value:,}"


def millions(value: int | None) -> str:
    """Write a number of parameters: ``41.3 M``."""
    return UNKNOWN if value is None else f"{value / 1e6:.1f} M"


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """Write ``1 run`` or ``3 runs``; the second noun where it is not made by an s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {nouns or noun + 's'}"


def state(run: Run) -> str:
    """Say whether a run is finished."""
    if run.finished is None:
        return UNKNOWN
    if run.finished:
        return f"stopped: {run.stop_reason}" if run.stop_reason else "finished"
    return "unfinished"


def sure(probability: float) -> str:
    """Write a probability so that it never claims certainty: 1% to 99%."""
    return f"{min(max(round(100 * probability), 1), 99)}%"


def change(ratio: float) -> str:
    """Write a relative change: 0.074 is ``+7.4%``."""
    return minus(f"{100 * ratio:+.1f}%")


def slope(value: float) -> str:
    """Write a change of mAP to two digits: -0.0002 is ``−0.02 pp``."""
    value = round(100 * value, 5) + 0.0  # what a line through equal values leaves is rounding
    return minus(f"{value:+.2g} pp")


def capitalize_first(text: str) -> str:
    """Begin a sentence: what follows the first letter stays as it is."""
    return text[:1].upper() + text[1:]


FILTERS = {
    "capitalize_first": capitalize_first,
    "change": change,
    "duration": decimal_duration,
    "interval": interval,
    "map_percent": map_,
    "minus": minus,
    "percent": percent,
    "plural": plural,
    "points": points,
    "slope": slope,
    "state": state,
    "sure": sure,
    "thousands": count,
    "whole": lambda value: count(round(value)),
}
