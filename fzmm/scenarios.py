"""The freezing scenarios of the study: what ``frozen_stages`` means and what each is called.

MMDetection's ResNet has a stem and four residual stages. ``frozen_stages=k`` freezes the stem and
stages 1..k, ``0`` the stem alone, ``-1`` nothing. The thesis counts from the other end: "trainable
stages", the stem being one of five.
"""

from __future__ import annotations

FROZEN_STAGES = (-1, 0, 1, 2, 3, 4)
UNFROZEN = 5  # trainable stages with nothing frozen


def trainable_stages(frozen: int) -> int:
    """Return the thesis's number of trainable stages, 0 (all frozen) to 5 (none frozen).

    Args:
        frozen: MMDetection's ``frozen_stages``, -1 to 4.

    Raises:
        ValueError: If it is not one of the six scenarios.
    """
    if frozen not in FROZEN_STAGES:
        raise ValueError(f"frozen_stages must be one of {FROZEN_STAGES}, not {frozen!r}")
    return 4 - frozen


def frozen_stages(trainable: int) -> int:
    """Return MMDetection's ``frozen_stages`` of a number of trainable stages, 0 to 5."""
    return 4 - trainable


def scenario_name(frozen: int) -> str:
    """Return the scenario's name in config files: ``unfrozen``, ``frozen0`` ... ``frozen4``."""
    trainable_stages(frozen)  # refuses what is no scenario
    return "unfrozen" if frozen == -1 else f"frozen{frozen}"
