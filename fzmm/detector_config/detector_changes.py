"""What a detector from anywhere needs to be changed in to serve a study."""

from __future__ import annotations

import copy
from typing import Any

from fzmm.detector_config.detector import class_places


def set_classes(model: dict[str, Any], classes: int) -> dict[str, Any]:
    """Return what to override in a model's config so that every head has ``classes`` classes.

    Heads in a list, as Cascade R-CNN's, are given whole, as a config cannot change one of them.

    Args:
        model: The model's config; changed to the same effect.
        classes: Number of classes.
    """
    changes: dict[str, Any] = {}
    for path, _ in list(class_places(model)):
        _at(model, path[:-1])[path[-1]] = classes
        whole = next((i for i, key in enumerate(path) if isinstance(key, int)), len(path))
        inner = changes
        for key in path[: whole - 1]:
            inner = inner.setdefault(key, {})
        inner[path[whole - 1]] = _at(model, path[:whole])
    return changes


def merge(into: dict, other: dict) -> None:
    """Put one nested dict into another, in place, as MMEngine merges a config into its base."""
    for key, value in other.items():
        if isinstance(value, dict) and value.get("_delete_"):
            into[key] = {name: copy.deepcopy(v) for name, v in value.items() if name != "_delete_"}
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)


def combine(changes: dict, more: dict) -> None:
    """Add changes to changes, in place; a later ``_delete_`` stays one."""
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(changes.get(key), dict):
            combine(changes[key], value)
        else:
            changes[key] = value


def _at(tree: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree
