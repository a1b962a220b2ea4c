"""Reading the config that MMEngine dumps beside a log, without running it.

A dumped config is a Python file of assignments of literals and ``dict(...)`` calls. It is parsed,
never executed: a work directory may come from anybody.
"""

from __future__ import annotations

import ast
import math
import warnings
from pathlib import Path
from typing import Any

from fzmm.errors import UserError
from fzmm.utils.files import read_regular
from fzmm.utils.gzipped import unpack

_NAMES = {"inf": math.inf, "nan": math.nan}  # how repr writes these floats


class _Unknown:
    """Stands for a value that is neither a literal nor a ``dict(...)``; it has no value here."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()


def read_config(path: str | Path) -> dict[str, Any]:
    """Return the assignments of a dumped config file.

    Args:
        path: ``vis_data/config.py`` or ``<timestamp>.py`` of a work directory, plain or gzipped.

    Returns:
        Values by name; anything that is not made of literals and ``dict(...)`` is ``UNKNOWN``.

    Raises:
        UserError: If the file cannot be read or is not Python.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # about "\d" in somebody's string
            tree = ast.parse(unpack(read_regular(path), str(path)), filename=str(path))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        place = f", line {line}" if line else ""
        raise UserError(f"{path}{place}: not a Python config as MMEngine dumps it") from error

    config = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    config[target.id] = _top_value(node.value)

    return config


def get(config: Any, path: str, default: Any = None) -> Any:
    """Return the value at a dotted path, or ``default`` where it is absent or unknown.

    >>> get({"model": {"backbone": {"frozen_stages": 1}}}, "model.backbone.frozen_stages")
    1
    """
    for name in path.split("."):
        if isinstance(config, list | tuple) and name.isdigit() and int(name) < len(config):
            config = config[int(name)]
        elif isinstance(config, dict) and name in config:
            config = config[name]
        else:
            return default
    return default if config is UNKNOWN or config is None else config


def _top_value(node: ast.expr) -> Any:
    try:
        return _value(node)
    except RecursionError:  # nested deeper than any config
        return UNKNOWN


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return _NAMES.get(node.id, UNKNOWN)
    if isinstance(node, ast.List):
        return [_value(element) for element in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(element) for element in node.elts)
    if isinstance(node, ast.Set):
        return [_value(element) for element in node.elts]
    if isinstance(node, ast.Dict):
        return {
            key.value: _value(value)
            for key, value in zip(node.keys, node.values, strict=True)
            if isinstance(key, ast.Constant)
        }

    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        operand = _value(node.operand)
        if isinstance(operand, int | float):
            return -operand if isinstance(node.op, ast.USub) else operand
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "dict"
        and not node.args
    ):
        return {word.arg: _value(word.value) for word in node.keywords if word.arg}

    return UNKNOWN
