"""The freezing scenarios of the study: what ``frozen_stages`` means and what each is called.

MMDetection's ResNet has a stem and four residual stages. ``frozen_stages=k`` freezes the stem and
stages 1..k, ``0`` the stem alone, ``-1`` nothing. The thesis counts from the other end: "trainable
stages", the stem being one of five.
"""

from __future__ import annotations

FROZEN_STAGES = (-1, 0, 1, 2, 3, 4)


def trainable_stages(frozen_stages: int) -> int:
    """Return the thesis's number of trainable stages, 0 (all frozen) to 5 (none frozen).

    Args:
        frozen_stages: MMDetection's number, -1 to 4.

    Raises:
        ValueError: If ``frozen_stages`` is not one of the six scenarios.
    """
    if frozen_stages not in FROZEN_STAGES:
        raise ValueError(f"frozen_stages must be one of {FROZEN_STAGES}, not {frozen_stages!r}")
    return 4 - frozen_stages


def scenario_name(frozen_stages: int) -> str:
    """Return the scenario's name in config files: ``unfrozen``, ``frozen0`` ... ``frozen4``."""
    trainable_stages(frozen_stages)  # refuses what is no scenario
    return "unfrozen" if frozen_stages == -1 else f"frozen{frozen_stages}"


def parse_scenario(name: str) -> int:
    """Return the ``frozen_stages`` of a scenario's name; the inverse of ``scenario_name``.

    Raises:
        ValueError: If ``name`` names no scenario.
    """
    names = {scenario_name(value): value for value in FROZEN_STAGES}
    if name not in names:
        raise ValueError(f"{name!r} is not a scenario; the scenarios are {', '.join(names)}")
    return names[name]
