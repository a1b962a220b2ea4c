"""Learning rates as a factor of a study: every scenario is trained at each of them.

What freezes much may want another rate than what freezes nothing, so that a comparison at one rate
favours the scenarios that it suits.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

from fzmm.detector_config.detector_changes import combine
from fzmm.errors import UserError
from fzmm.scenarios import rate_name
from fzmm.schedules import FLOORS
from fzmm.study.base_schedule import with_floor


def read_rates(lr: float | Sequence[float] | None) -> list[float]:
    """Return the rates that ``--lr`` names, ascending; empty for the base's own.

    Raises:
        UserError: If one is none, or given twice.
    """
    if lr is None:
        return []
    rates = [lr] if isinstance(lr, int | float) else list(lr)
    for rate in rates:
        if not 0 < rate < math.inf:
            raise UserError(f"--lr {rate:g}: a number above 0")
    names = [rate_name(rate) for rate in rates]
    for rate, name in zip(rates, names, strict=True):
        if names.count(name) > 1:
            raise UserError(f"--lr {rate:g}: given twice, or another rate has its name, {name}")
    return sorted(map(float, rates))


def at_rate(
    parts: Sequence[tuple[str, Any]],
    rate: float,
    schedulers: Sequence[dict[str, Any]],
    made_for: float,
) -> list[tuple[str, Any]]:
    """Return the assignments of a run's config with one of the study's rates.

    Args:
        parts: The assignments without it.
        rate: The learning rate.
        schedulers: Those of the study.
        made_for: The learning rate that they were made for: a floor of the rate keeps its share.
    """
    merged = copy.deepcopy(dict(parts))
    combine(merged, dict(study=dict(rate=rate), optim_wrapper=dict(optimizer=dict(lr=rate))))
    if any(floor in scheduler for scheduler in schedulers for floor in FLOORS):
        merged["param_scheduler"] = [with_floor(one, rate / made_for) for one in schedulers]
    return list(merged.items())
