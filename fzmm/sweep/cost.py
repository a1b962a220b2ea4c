"""What a sweep will cost, in hours and where that figure comes from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from fzmm.analysis.statistics.hardware import NOT_RECORDED, hardware_of
from fzmm.provenance import read_provenance
from fzmm.sweep.config_facts import ConfigFacts
from fzmm.sweep.executors.local import threads_each
from fzmm.sweep.options import SweepOptions
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


def trained_on(run: PlannedRun) -> str | None:
    """Return the hardware that a run was trained on so far, as ``hardware_of`` does."""
    starts = (read_provenance(run.work_dir) or {}).get("sessions")
    starts = starts if isinstance(starts, list) else []
    return hardware_of([start for start in starts if isinstance(start, dict)])


def hardware_here(options: SweepOptions, gpus: int) -> str | None:
    """Return the hardware that a run will be trained on by this machine.

    Args:
        options: The sweep's.
        gpus: Of each run that its schedule is made for.
    """
    import torch

    from fzmm.engine.runner.describe_run import devices

    processes = min(options.gpus_per_run or gpus, torch.cuda.device_count()) or 1
    threads = None if "OMP_NUM_THREADS" in os.environ else threads_each(options.runs_at_once)
    return hardware_of([dict(devices=devices(threads), world_size=processes)])


def estimate(
    statuses: Sequence[RunStatus],
    facts: dict,
    options: SweepOptions,
    timed: dict[tuple, dict] | None = None,
) -> dict[PlannedRun, Cost]:
    """Estimate each unfinished run: from its own past, its siblings', or a few timed steps.

    Args:
        statuses: The runs.
        facts: ``ConfigFacts`` of each config.
        options: The sweep's.
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
            siblings = _siblings(run, paces, facts, options)
            cost = _siblings_cost(left, siblings, fact, options) if siblings else None
            costs[run] = cost or _timed_cost(run, fact, left, timed, facts)

    return costs


def _iterations_left(status: RunStatus, fact: ConfigFacts) -> int | None:
    if fact.max_iters is None:
        return None
    return max(0, fact.max_iters - (status.progress.checkpoint or 0))


def _siblings(
    run: PlannedRun, paces: dict, facts: dict, options: SweepOptions
) -> dict[PlannedRun, float]:
    """Return the paces of the runs that cost as much an iteration on the same device."""
    fact, device = facts[run.config], options.device_of(run)
    return {
        other: pace
        for other, pace in paces.items()
        if pace
        and facts[other.config].kind == fact.kind
        and facts[other.config].frozen_stages == fact.frozen_stages
        and options.device_of(other) == device
    }


def _siblings_cost(
    left: int, siblings: dict[PlannedRun, float], fact: ConfigFacts, options: SweepOptions
) -> Cost | None:
    """Return the cost at the pace of the slowest on the device to come, None if none was there.

    Which device a cluster will give is not known here: siblings on several then tell nothing.
    """
    kinds: dict[str | None, list[PlannedRun]] = {}
    for other in siblings:
        kinds.setdefault(trained_on(other), []).append(other)
    if options.one_machine:
        here = hardware_here(options, fact.gpus)
        kind = here if here in kinds else NOT_RECORDED
    elif len(kinds) > 1:
        return Cost(None, "runs like it were trained on unlike devices")
    else:
        (kind,) = kinds
    if kind is None or kind not in kinds:
        return None

    slowest = max(kinds[kind], key=siblings.__getitem__)
    on = "" if kind == NOT_RECORDED else f" on {kind}"
    return Cost(left * siblings[slowest], f"the pace of {slowest.name}{on}")


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
