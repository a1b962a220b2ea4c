"""The detector that every scenario of a study starts from, where it is a whole one."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fzmm.detector_config.starting_weights import StartingWeights, require_fitting, weights_of
from fzmm.errors import UserError
from fzmm.utils.config_file import read_config_file
from fzmm.utils.files import file_sha256

_OPTION = "--load-from"
_MOST_SHOWN = 6  # names in a line
_NORMALISATION = ("mean", "std", "bgr_to_rgb")


@dataclass(frozen=True)
class StartingPoint:
    """A checkpoint that a study starts from.

    Attributes:
        name: As it was given.
        address: The file or address that configs name.
        sha256: Checksum of the file.
        weights: How it fits the study's detector.
    """

    name: str
    address: str
    sha256: str
    weights: StartingWeights

    @property
    def study(self) -> dict[str, str]:
        """What a config's ``study`` says of it."""
        return dict(load_from=self.name, load_from_sha256=self.sha256)

    @property
    def notes(self) -> list[str]:
        """What to tell the user: what is loaded, what is not, and why."""
        weights = self.weights
        lines = [
            f"every scenario starts from {self.name} (sha256 {self.sha256[:8]}): "
            f"{weights.loaded:,} of the detector's {weights.tensors:,} tensors, "
            f"{weights.numbers:,} numbers"
        ]
        shapes = [
            f"{name} {theirs} there, {ours} here"
            for name, (theirs, ours) in weights.other_shape.items()
        ]
        if shapes:
            lines.append(f"new, as the number of classes is another: {_some(shapes)}")
        else:
            lines.append(
                "its heads are for as many classes as the data has, and are loaded too: do they "
                "mean the same classes?"
            )
        unused = weights.record()["only_in_checkpoint"]
        if unused:
            parts = [f"{name} ({count})" for name, count in unused.items()]
            lines.append(f"left out, as the detector has no such part: {_some(parts)}")
        return lines


def starting_point(name: str, model: dict[str, Any]) -> StartingPoint:
    """Read a checkpoint and see how it fits a study's detector.

    Args:
        name: What ``--load-from`` was given.
        model: The detector's config, for the study's classes.

    Raises:
        UserError: If it cannot be had or read, or is of another detector.
    """
    from fzmm.utils.checkpoint_source import checkpoint_address, fetched_checkpoint

    option = f"{_OPTION} {name}"
    if "::" in name:
        _require_same_images(name, model, option)
    address = checkpoint_address(name, _OPTION)
    path = fetched_checkpoint(address, _OPTION)
    weights = require_fitting(_read(path), model, option)
    return StartingPoint(name, address, file_sha256(path), weights)


def _read(path: Path) -> dict[str, Any]:
    from fzmm.utils.checkpoint_file import damaged_record, load_checkpoint

    try:
        checkpoint = load_checkpoint(path, hint="save its weights alone, as a state_dict")
        damaged = damaged_record(path) if zipfile.is_zipfile(path) else None
    except UserError as error:
        raise UserError(f"{_OPTION}: {error}") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{_OPTION}: {path}: not a readable checkpoint ({error})") from None
    if damaged:
        raise UserError(f"{_OPTION}: {path}: damaged at {damaged}; get it anew")
    return weights_of(checkpoint)


def _require_same_images(name: str, model: dict[str, Any], option: str) -> None:
    """Refuse weights that were trained on images normalised in another way."""
    config = name if name.endswith(".py") else f"{name}.py"
    theirs = read_config_file(config, name=option).get("model", {}).get("data_preprocessor") or {}
    ours = model.get("data_preprocessor") or {}
    for key in _NORMALISATION:
        if theirs.get(key) != ours.get(key):
            raise UserError(
                f"{option}: was trained on images with {key} {theirs.get(key)}, the detector's is "
                f"{ours.get(key)}; give --base {config}"
            )


def _some(parts: list[str]) -> str:
    more = len(parts) - _MOST_SHOWN
    return "; ".join(parts[:_MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")
