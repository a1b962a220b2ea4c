"""Keeping a data amount's runs on one kind of device: times compare only on equal ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from fzmm.errors import UserError

# What follows the data amount in a config's name: scenario, and rate where a study tries several.
_SCENARIO = r"unfrozen|scratch|frozen\d+|lr\d+|decay\d+|release\d+|freeze_\w+"
_NAME = re.compile(rf"(.+)_(?:{_SCENARIO})(?:_rate\d+)?")


def read_pins(arguments: Sequence[str]) -> dict[str, str]:
    """Read ``AMOUNT=DEVICE`` arguments.

    Raises:
        UserError: If one is none.
    """
    pins = {}
    for argument in arguments:
        amount, _, device = argument.partition("=")
        if not amount or not device:
            raise UserError(f"--pin {argument}: give AMOUNT=DEVICE, such as coco50=v100")
        pins[amount] = device
    return pins


def data_amount(config: Path) -> str:
    """Return the data amount in a config's name: ``coco50`` of ``coco50_frozen2.py``."""
    if name := _NAME.fullmatch(config.stem):
        return name.group(1)
    return config.stem.rpartition("_")[0] or config.stem


def pinned_device(config: Path, pins: Mapping[str, str]) -> str | None:
    """Return the device that a config's runs are pinned to, or None.

    Args:
        config: Config file.
        pins: Device by data amount, which may be a pattern (``coco25-*``); the first that fits.
    """
    amount = data_amount(config)
    return next((device for name, device in pins.items() if fnmatchcase(amount, name)), None)


def check_pins(pins: Mapping[str, str], configs: Sequence[Path], one_machine: bool) -> None:
    """Refuse pins that would do nothing.

    Raises:
        UserError: If one fits no config, or the executor knows one machine.
    """
    if pins and one_machine:
        raise UserError("--pin: this is one machine; needs --executor ray or slurm")
    amounts = sorted({data_amount(config) for config in configs})
    for name in pins:
        if not any(fnmatchcase(amount, name) for amount in amounts):
            raise UserError(f"--pin {name}: no config of that data amount; of {', '.join(amounts)}")
