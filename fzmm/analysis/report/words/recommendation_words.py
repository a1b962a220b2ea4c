"""A recommendation in words: the same in the terminal, the page and JSON."""

from __future__ import annotations

from collections import Counter

from fzmm.analysis.conclusions.recommendation import UNDECIDED, Recommendation
from fzmm.analysis.report import text
from fzmm.scenarios import frozen_stages


def freeze(frozen: int) -> str:
    """Say what a scenario freezes: ``Freeze the stem and stages 1–2``."""
    return {
        -1: "Freeze nothing",
        0: "Freeze the stem alone",
        1: "Freeze the stem and stage 1",
        4: "Freeze the whole backbone",
    }.get(frozen, f"Freeze the stem and stages 1–{frozen}")


def sentence(item: Recommendation) -> str:
    """Say the recommendation, how sure it is, what it saves and what is open."""
    parts = [f"{freeze(item.frozen_stages)}: {how_sure(item)}."]
    if item.cost.time_ratio is not None and round(100 * item.cost.time_ratio) < 100:
        parts.append(f"Saves {100 - round(100 * item.cost.time_ratio)}% of the time.")
    parts += [line for line in (safe_choice(item), schedule_warning(item), undecided(item)) if line]
    return " ".join(parts)


def how_sure(item: Recommendation) -> str:
    """Say the probability and the bound: ``92% sure to lose less than 0.4 pp, at most 0.6``."""
    if item.status == UNDECIDED:
        return "undecided, a pointer from runs whose noise is unknown"
    sure = (
        f"{_sure(item.probability_within_margin)} sure to lose less than "
        f"{text.points(item.margin)}, at most {text.points(item.largest_loss)}"
    )
    single = min(len(item.runs), len(item.top_runs)) < 2
    return f"{item.status}, {sure}" + ("; one seed is no more than a pointer" if single else "")


def undecided(item: Recommendation) -> str:
    """Say which scenarios are open and how many runs would be next."""
    if not item.next_runs:
        return ""
    open_ = sorted({frozen_stages(run.trainable) for run in item.next_runs})
    reasons = Counter(run.reason for run in item.next_runs)
    why = ", ".join(f"{count} × {reason}" for reason, count in reasons.items())
    scenarios = text.minus(", ".join(map(str, open_)))
    return (
        f"Undecided: frozen_stages {scenarios}; next {text.plural(len(item.next_runs), 'run')} "
        f"({why})."
    )


def schedule_warning(item: Recommendation) -> str:
    """Say which scenarios still rise and what length would settle it; empty if none does."""
    schedule = item.schedule
    if not schedule.too_short:
        return ""
    if not schedule.still_rising:
        return "The schedule may be too short: scenarios still rise at different rates."
    rising = text.minus(", ".join(str(frozen_stages(k)) for k in schedule.still_rising))
    return (
        f"The schedule is too short: frozen_stages {rising} still rise; about "
        f"{schedule.enough:,} iterations would settle it."
    )


def safe_choice(item: Recommendation) -> str:
    """Name the fewest stages that are likely within the margin, where these are others."""
    safe = item.safe_choice
    if safe is None or safe == item.trainable:
        return ""
    sure = _sure(item.ranking.probability_within[safe])
    return text.minus(f"Safe choice: frozen_stages {frozen_stages(safe)} ({sure} sure).")


def _sure(probability: float) -> str:
    """Write a probability so that it never claims certainty."""
    return f"{min(max(round(100 * probability), 1), 99)}%"
