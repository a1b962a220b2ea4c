"""The freezing scenarios of the study: what ``frozen_stages`` means and what each is called.

A learning rate that a study tries beside others has a name in config files as well.

MMDetection's ResNet has a stem and four residual stages. ``frozen_stages=k`` freezes the stem and
stages 1..k, ``0`` the stem alone, ``-1`` nothing. The thesis counts from the other end: "trainable
stages", the stem being one of five.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

FROZEN_STAGES = (-1, 0, 1, 2, 3, 4)
UNFROZEN = 5  # trainable stages with nothing frozen


def trainable_stages(frozen: int, study: Mapping[str, Any] | None = None) -> int:
    """Return the thesis's number of trainable stages: for a ResNet 0 (all frozen) to 5 (none).

    Args:
        frozen: MMDetection's ``frozen_stages``; in a ResNet -1 to 4.
        study: A config's ``study``. Where the backbone counts otherwise than a ResNet, new_study
            has measured and written down its ``trainable_stages``.

    Raises:
        ValueError: If it is not one of a ResNet's six scenarios and no count is written down.
    """
    recorded = (study or {}).get("trainable_stages")
    if isinstance(recorded, int):
        return recorded
    if frozen not in FROZEN_STAGES:
        raise ValueError(f"frozen_stages must be one of {FROZEN_STAGES}, not {frozen!r}")
    return 4 - frozen


def counts_as_resnet(stages: int, frozen: Mapping[int, int]) -> bool:
    """Whether a backbone's ``frozen_stages`` means a stem and four stages, as a ResNet's does.

    Args:
        stages: Trainable stages with nothing frozen.
        frozen: Its ``frozen_stages`` by number of trainable stages.
    """
    return stages == UNFROZEN and all(frozen_stages(k) == value for k, value in frozen.items())


def frozen_stages(trainable: int) -> int:
    """Return MMDetection's ``frozen_stages`` of a number of trainable stages, 0 to 5."""
    return 4 - trainable


def scenario_name(frozen: int) -> str:
    """Return the scenario's name in config files: ``unfrozen``, ``frozen0`` ... ``frozen4``."""
    trainable_stages(frozen)  # refuses what is no scenario
    return "unfrozen" if frozen == -1 else f"frozen{frozen}"


def rate_name(rate: float) -> str:
    """Return a learning rate's name in config files, which has no dot: ``rate0005`` for 0.005."""
    return "rate" + f"{Decimal(repr(float(rate))):f}".removesuffix(".0").replace(".", "")
