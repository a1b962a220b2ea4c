"""What a user of ``--budget`` should know before reading the results."""

from __future__ import annotations

import os
import sys


def warn_of_short_schedule(budget: float | None) -> None:
    """Print one line on stderr if ``budget`` cuts the schedule short.

    Args:
        budget: Share of the schedule to run; None and 1 are all of it.
    """
    rank = os.environ.get("RANK") or os.environ.get("SLURM_PROCID") or "0"
    if budget is None or not 0 < budget < 1 or rank != "0":
        return
    print(
        f"warning: --budget {budget:g} cuts the schedule short, which favours freezing: frozen "
        "backbones converge earlier. Choose what to freeze from whole schedules",
        file=sys.stderr,
        flush=True,
    )
