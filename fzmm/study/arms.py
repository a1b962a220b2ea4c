"""Arms: scenarios that do something else than freezing stages, to be compared with it.

An arm starts from the scenario that freezes least. ``--arms lr=0.1`` trains the backbone at a tenth
of the rate, ``decay=0.75`` takes 0.75 of the rate with each stage towards the input,
``freeze=neck,rpn_head`` freezes modules by name and ``release=0.5`` freezes the whole backbone for
half of the schedule.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fzmm.detector_config.freezing import Scenario, stages_of_modules
from fzmm.detector_config.modules_by_name import parameters_within
from fzmm.errors import UserError
from fzmm.study.base_schedule import absolute_floors, has_own_schedule

KINDS = ("lr", "decay", "freeze", "release")
# A tenth is what is asked for most; 0.75 and a half are the middle of what is published.
_DEFAULTS = {"lr": "0.1", "decay": "0.75", "release": "0.5"}
_BACKBONE = "backbone."


@dataclass(frozen=True)
class Arm:
    """One scenario beside the freezing ones.

    Attributes:
        kind: One of ``KINDS``.
        value: Factor of the rate, factor a stage, or share of the schedule; None for ``freeze``.
        patterns: Modules that it freezes.
    """

    kind: str
    value: float | None = None
    patterns: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name in config files: ``lr01``, ``decay075``, ``freeze_neck``, ``release05``."""
        if self.value is None:
            return "freeze_" + "_".join(re.findall(r"[A-Za-z0-9]+", " ".join(self.patterns)))
        return self.kind + f"{self.value:f}".rstrip("0").replace(".", "")

    @property
    def does(self) -> str:
        """What it does, as the beginning of a sentence."""
        if self.kind == "lr":
            return f"training the backbone at {self.value:g} of the learning rate"
        if self.kind == "decay":
            return f"lowering the learning rate by a factor of {self.value:g} a stage"
        if self.kind == "release":
            return f"freezing the backbone for {self.value:.0%} of the schedule"
        return f"freezing {', '.join(self.patterns)}"

    def config(self, detector: Any) -> list[tuple[str, Any]]:
        """Return the assignments of its config beside the base's.

        Args:
            detector: The ``StudyDetector``.

        Raises:
            UserError: If the base's optimiser has rates of its own making.
        """
        parts: list[tuple[str, Any]] = [("study", dict(arm=self.name, arm_does=self.does))]
        if self.kind in ("lr", "decay"):
            _require_default_rates(self, detector.cfg)
            paramwise_cfg = dict(rate_factors=self._factors(detector))
            wrapper = dict(constructor="ScaledRatesConstructor", paramwise_cfg=paramwise_cfg)
            return [*parts, ("optim_wrapper", wrapper)]

        hook: dict[str, Any] = dict(type="FreezeHook", patterns=list(self.patterns))
        if self.kind == "release":
            hook["until"] = self.value
        parts.append(("default_hooks", dict(freeze_modules=hook)))
        # the hook freezes what several processes have already agreed to exchange
        return [*parts, ("find_unused_parameters", True)]

    def _factors(self, detector: Any) -> dict[str, float]:
        if self.kind == "lr":
            return {_BACKBONE: self.value}
        stages = stage_factors(detector.model["backbone"], detector.scenarios, self.value)
        factors = {_BACKBONE + name: round(factor, 12) for name, factor in stages.items()}
        # what lies beside the stages, such as embeddings of positions, is at the input
        return {_BACKBONE: min(factors.values()), **factors}

    def require_modules(self, model: Any) -> None:
        """Refuse names of modules that a detector has not, or that leave nothing to train.

        Args:
            model: The detector, as built.
        """
        parameters_within(model, self.patterns, f"--arms freeze={','.join(self.patterns)}")


def read_arms(words: Sequence[str]) -> list[Arm]:
    """Return the arms that ``--arms`` names.

    Args:
        words: Such as ``lr=0.1``, ``decay``, ``freeze=neck,rpn_head`` or ``release=0.5``.

    Raises:
        UserError: If one is none, or two would have one name.
    """
    arms = [_read_arm(word) for word in words]
    given: dict[str, str] = {}
    for arm, word in zip(arms, words, strict=True):
        if arm.name in given:
            raise UserError(f"--arms: {given[arm.name]} and {word} would both be {arm.name}")
        given[arm.name] = word
    return arms


def stage_factors(
    backbone: dict[str, Any], scenarios: dict[int, Scenario], decay: float
) -> dict[str, float]:
    """Return the factor of the rate by the beginning of the parameters' names.

    The last stage has ``decay``, the one before it its square, and so on to the input, as in the
    layer-wise decay of Clark et al. (ELECTRA, 2020); everything outside of the backbone has 1.
    """
    stages = stages_of_modules(backbone, scenarios)
    last = max(stages.values())
    return {f"{name}.": decay ** (1 + last - stage) for name, stage in stages.items()}


def _read_arm(word: str) -> Arm:
    kind, _, value = word.partition("=")
    value = value or _DEFAULTS.get(kind, "")
    if kind not in KINDS:
        raise UserError(f"--arms {word}: takes lr=0.1, decay=0.75, freeze=neck,... or release=0.5")
    if kind == "freeze":
        patterns = tuple(part for part in value.split(",") if part)
        if not patterns or not all(re.search(r"[A-Za-z0-9]", part) for part in patterns):
            raise UserError(f"--arms {word}: name modules, such as freeze=neck,rpn_head")
        return Arm(kind, patterns=patterns)

    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0.0001 <= number < 1:
        raise UserError(f"--arms {word}: a number from 0.0001 to below 1")
    return Arm(kind, round(number, 6), ("backbone",) if kind == "release" else ())


def _require_default_rates(arm: Arm, cfg: Any) -> None:
    constructor = cfg.optim_wrapper.get("constructor", "DefaultOptimWrapperConstructor")
    if constructor != "DefaultOptimWrapperConstructor":
        raise UserError(
            f"--arms {arm.name}: the base's {constructor} sets rates by rules of its own; leave "
            "this arm out"
        )
    floors = absolute_floors(cfg) if has_own_schedule(cfg) else []
    if floors:
        raise UserError(
            f"--arms {arm.name}: the base's {floors[0]} ends at a rate that is the same for all "
            "parameters; leave this arm out"
        )
