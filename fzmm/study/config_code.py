"""Writing a config's values as code that a person reads and MMEngine loads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

_STYLE = dict(
    based_on_style="pep8",
    column_limit=100,
    dedent_closing_brackets=True,
    split_before_first_argument=True,
    blank_lines_between_top_level_imports_and_variables=1,
)


class Name(str):
    """A name in the written code, as against a string."""

    def __repr__(self) -> str:
        return str(self)


def assignments(parts: Sequence[tuple[str, Any]]) -> str:
    """Return the lines that assign values to names; empty dicts are left out."""
    blocks = []
    for key, value in parts:
        if value == {}:
            continue
        blocks.append(f"{key} = {_code(value)}\n" + ("\n" if key == "_base_" else ""))
    return "".join(blocks)


def _code(value: Any) -> str:
    """Return Python code for a config's value, dicts as MMDetection writes them."""
    if isinstance(value, dict):
        if all(isinstance(key, str) and key.isidentifier() for key in value):
            return "dict(" + ", ".join(f"{key}={_code(item)}" for key, item in value.items()) + ")"
        return "{" + ", ".join(f"{key!r}: {_code(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str) and not isinstance(value, Name):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(map(_code, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_code, value)) + ("," if len(value) == 1 else "") + ")"
    return repr(value)


def format_code(text: str) -> str:
    """Return code laid out for reading, comments and all."""
    if all(len(line) <= _STYLE["column_limit"] for line in text.splitlines()):
        return text
    from yapf.yapflib.yapf_api import FormatCode  # MMEngine formats its dumps with it

    return FormatCode(text, style_config=_STYLE)[0]
