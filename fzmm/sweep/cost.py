"""What a sweep will cost, in hours and where that figure comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fzmm.sweep.config_facts import ConfigFacts
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.run_dir.record import read_record, seconds_between
from fzmm.sweep.run_dir.state import RunStatus, State
from fzmm.utils.config_file import read_config_file

TIMED_STEPS = 3  # of each scenario, where no run has a past


@dataclass(frozen=True)
class Cost:
    """The estimated cost of what is left of a run.

    Attributes:
        seconds: Of one process; None if unknown.
        source: What the estimate rests on.
    """

    seconds: float | None
    source: str


def seconds_per_iteration(run: PlannedRun) -> float | None:
    """Return what an iteration of a run has cost so far, start-up and validation included."""
    spent, advanced = 0.0, 0
    for attempt in read_record(run.work_dir)["attempts"]:
        seconds = seconds_between(attempt.get("started"), attempt.get("ended"))
        gained = (attempt.get("iteration") or 0) - (attempt.get("from_iteration") or 0)
        if seconds and gained > 0:
            spent, advanced = spent + seconds, advanced + gained
    return spent / advanced if advanced else None


def estimate(
    statuses: Sequence[RunStatus], facts: dict, timed: dict[tuple, dict] | None = None
) -> dict[PlannedRun, Cost]:
    """Estimate each unfinished run: from its own past, its siblings', or a few timed steps.

    Args:
        statuses: The runs.
        facts: ``ConfigFacts`` of each config.
        timed: Steps that an earlier estimate has timed; takes those of this one.
    """
    paces = {status.run: seconds_per_iteration(status.run) for status in statuses}
    timed = {} if timed is None else timed
    costs = {}
    for status in statuses:
        run, fact = status.run, facts[status.run.config]
        left = _iterations_left(status, fact)
        if status.state is State.DONE:
            costs[run] = Cost(0.0, "done")
        elif left is None:
            costs[run] = Cost(None, "its config states no number of iterations")
        elif paces[run]:
            costs[run] = Cost(left * paces[run], "its own pace")
        else:
            sibling = _sibling_pace(fact, paces, facts)
            if sibling:
                costs[run] = Cost(left * sibling[0], f"the pace of {sibling[1].name}")
            else:
                costs[run] = _timed_cost(run, fact, left, timed, facts)

    return costs


def _iterations_left(status: RunStatus, fact: ConfigFacts) -> int | None:
    if fact.max_iters is None:
        return None
    return max(0, fact.max_iters - (status.progress.checkpoint or 0))


def _sibling_pace(fact: ConfigFacts, paces: dict, facts: dict) -> tuple[float, PlannedRun] | None:
    alike = [
        (pace, run)
        for run, pace in paces.items()
        if pace
        and facts[run.config].kind == fact.kind
        and facts[run.config].frozen_stages == fact.frozen_stages
    ]
    return max(alike, key=lambda pair: pair[0], default=None)


def _timed_cost(run: PlannedRun, fact: ConfigFacts, left: int, timed: dict, facts: dict) -> Cost:
    from fzmm.detector_config.detector import train_scale
    from fzmm.detector_config.step_time import interpolate, quiet, time_steps

    if fact.frozen_stages is None:
        return Cost(None, "its backbone has no frozen_stages")
    with quiet():
        cfg = read_config_file(run.config)
    key = (fact.kind, fact.batch_size, train_scale(cfg))
    if key not in timed:
        alike = [other.frozen_stages for other in facts.values() if other.kind == fact.kind]
        alike = [value for value in alike if value is not None]
        # The least and the most frozen are timed; the time between falls from stage to stage.
        timed[key] = time_steps(cfg, sorted({min(alike), max(alike)}), TIMED_STEPS)

    measured = timed[key]
    device = next(iter(measured.values())).device
    seconds = interpolate(measured, fact.frozen_stages)
    return Cost(left * seconds, f"{TIMED_STEPS} timed steps, {seconds:.2g} s each on this {device}")
