"""What a checkpoint of a whole detector gives to another one, and what is left out and why."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fzmm.detector_config.detector import number_of_classes
from fzmm.detector_config.detector_changes import set_classes
from fzmm.detector_config.freezing import build_module, register_modules
from fzmm.errors import UserError

MOST_NAMED = 100  # tensors, in a record
_PREFIX = "module."  # of a model that was saved inside its wrapper for several processes
# Counts of batches, which checkpoints of old torch do not have and nothing here reads.
_DISPENSABLE = "num_batches_tracked"

Shape = tuple[int, ...]


@dataclass(frozen=True)
class StartingWeights:
    """A detector's weights and a checkpoint's, compared by name and shape.

    Attributes:
        loaded: Tensors that are the same in both.
        tensors: Tensors of the detector.
        numbers: Numbers in those that are loaded.
        other_shape: Shapes in the checkpoint and in the detector, by name.
        only_in_checkpoint: Names of what the detector does not have.
        only_in_detector: Names of what the checkpoint does not have.
    """

    loaded: int
    tensors: int
    numbers: int
    other_shape: dict[str, tuple[Shape, Shape]]
    only_in_checkpoint: list[str]
    only_in_detector: list[str]

    def record(self) -> dict[str, Any]:
        """Return it as JSON, at most ``MOST_NAMED`` names of each kind."""
        shapes = list(self.other_shape.items())[:MOST_NAMED]
        return {
            "loaded_tensors": self.loaded,
            "tensors": self.tensors,
            "loaded_numbers": self.numbers,
            "other_shape": {name: [list(shape) for shape in both] for name, both in shapes},
            "only_in_checkpoint": modules_of(self.only_in_checkpoint),
            "only_in_detector": modules_of(self.only_in_detector),
        }


def compare_weights(weights: Mapping[str, Any], own: Mapping[str, Any]) -> StartingWeights:
    """Compare a checkpoint's tensors with those of a detector's ``state_dict``."""
    both = [name for name in own if name in weights]
    same = [name for name in both if weights[name].shape == own[name].shape]
    return StartingWeights(
        loaded=len(same),
        tensors=len(own),
        numbers=sum(own[name].numel() for name in same),
        other_shape={
            name: (tuple(weights[name].shape), tuple(own[name].shape))
            for name in both
            if weights[name].shape != own[name].shape
        },
        only_in_checkpoint=[name for name in weights if name not in own],
        only_in_detector=[
            name for name in own if name not in weights and not name.endswith(_DISPENSABLE)
        ],
    )


def weights_of(checkpoint: Any) -> dict[str, Any]:
    """Return the tensors of a checkpoint as MMEngine would load them; empty if it has none."""
    import torch

    weights = checkpoint.get("state_dict", checkpoint) if isinstance(checkpoint, Mapping) else {}
    weights = weights if isinstance(weights, Mapping) else {}
    return {
        name.removeprefix(_PREFIX): value
        for name, value in weights.items()
        if isinstance(name, str) and isinstance(value, torch.Tensor)
    }


def require_fitting(
    weights: Mapping[str, Any], model: dict[str, Any], name: str
) -> StartingWeights:
    """Return how a checkpoint fits a detector, of which only heads for classes may be others.

    Args:
        weights: Of the checkpoint.
        model: The detector's config, for the study's classes.
        name: The option and the checkpoint, for messages.

    Raises:
        UserError: If it is of another detector, or holds values that are no numbers.
    """
    own = _state(model)
    compared = compare_weights(weights, own)
    if not compared.loaded:
        raise UserError(f"{name}: holds no weights of a {model.get('type')}; {_hint(weights)}")
    if compared.only_in_detector:
        first = compared.only_in_detector[0]
        more = len(compared.only_in_detector) - 1
        raise UserError(
            f"{name}: is of another detector, {first}{f' and {more:,} more' if more else ''} "
            f"of this one's tensors are not in it; {_hint(weights)}"
        )

    by_classes = _shaped_by_classes(model, own)
    for tensor, (theirs, ours) in compared.other_shape.items():
        if tensor not in by_classes:
            raise UserError(
                f"{name}: is of another detector, its {tensor} has the shape {theirs}, here "
                f"{ours}; {_hint(weights)}"
            )
    for tensor, values in weights.items():
        if values.is_floating_point() and not values.isfinite().all():
            raise UserError(f"{name}: its {tensor} holds values that are no numbers")
    return compared


def modules_of(names: Iterable[str]) -> dict[str, int]:
    """Return how many tensors there are in each module, by the first two parts of their names."""
    counts = Counter(".".join(name.split(".")[:2])[:80] for name in names)
    return dict(counts.most_common(MOST_NAMED))


def _state(model: dict[str, Any]) -> dict[str, Any]:
    register_modules()
    return build_module(model).state_dict()


def _shaped_by_classes(model: dict[str, Any], own: Mapping[str, Any]) -> set[str]:
    """Return the names of the tensors whose shape follows the number of classes, by building."""
    changed = copy.deepcopy(model)
    set_classes(changed, (number_of_classes(model) or 0) + 1)
    other = _state(changed)
    return {
        name for name, value in own.items() if name not in other or other[name].shape != value.shape
    }


def _hint(weights: Mapping[str, Any]) -> str:
    if any(name.startswith("backbone.") for name in weights):
        return "give --base the config that it was trained with"
    return "a backbone's weights alone are given by --pretrained"
