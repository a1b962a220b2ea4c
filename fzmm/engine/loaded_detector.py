"""The whole detector that a training starts from: is it the study's, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.model import is_model_wrapper

from fzmm.detector_config.starting_weights import compare_weights, weights_of
from fzmm.errors import UserError
from fzmm.utils.checkpoint_source import checkpoint_path
from fzmm.utils.files import file_sha256


def describe_loaded(runner: Any, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record's entry of the checkpoint that a training starts from.

    Args:
        runner: The runner, before it takes the weights.
        checkpoint: What it has read.

    Raises:
        UserError: If the file is not the one that the study was made with.
    """
    address = str(runner._load_from)
    try:
        checksum = file_sha256(checkpoint_path(address))
    except OSError:  # from where MMEngine alone knows
        checksum = None
    study = runner.cfg.get("study") or {}
    expected = study.get("load_from_sha256")
    if expected and checksum != expected:
        raise UserError(
            f"{address}: is not the checkpoint that this study starts from: its sha256 is "
            f"{(checksum or 'unknown')[:8]}, the config has {expected[:8]}; put the file back, or "
            "make the study anew"
        )
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    compared = compare_weights(weights_of(checkpoint), model.state_dict())
    name = study.get("load_from") or address
    return {"checkpoint": name, "sha256": checksum, **compared.record()}


def refuse_unloaded(cfg: Any) -> None:
    """Refuse to train from nothing what should start from a detector.

    MMEngine's own ``--resume`` forgets ``load_from`` where there is no checkpoint yet.

    Raises:
        UserError: If the config's study starts from a detector.
    """
    name = (cfg.get("study") or {}).get("load_from")
    if name:
        raise UserError(
            f"this study starts from {name}, and nothing was loaded; leave --resume out where "
            "there is no checkpoint of the run yet"
        )
