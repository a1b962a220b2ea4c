"""Writing a config's values as code that a person reads and MMEngine loads.

MMEngine expands ``{{ ... }}`` anywhere in the text of a config, with environment variables and file
names, before it runs that text. Names from a user's data must therefore never bring two braces
together, nor end the literal or the comment that holds them.
"""

from __future__ import annotations

import keyword
import math
from collections.abc import Sequence
from typing import Any

from fzmm.errors import UserError

_STYLE = dict(
    based_on_style="pep8",
    column_limit=100,
    dedent_closing_brackets=True,
    split_before_first_argument=True,
    blank_lines_between_top_level_imports_and_variables=1,
)
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


class Name(str):
    """A name in the written code, as against a string."""


def assignments(parts: Sequence[tuple[str, Any]]) -> str:
    """Return the lines that assign values to names; empty dicts are left out."""
    blocks = []
    for key, value in parts:
        if value == {}:
            continue
        blocks.append(f"{key} = {code(value)}\n" + ("\n" if key == "_base_" else ""))
    return "".join(blocks)


def code(value: Any) -> str:
    """Return Python code for a config's value, dicts as MMDetection writes them.

    Raises:
        UserError: If the value is none that a config can hold as text.
    """
    if isinstance(value, Name):
        return str(value)
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, dict):
        return _dict_code(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(code, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(code, value)) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    raise UserError(
        f"the base's config holds {value!r}, a {type(value).__name__}, which cannot be written as "
        "text; use strings, numbers, lists and dicts there"
    )


def literal(text: str) -> str:
    """Return a string's Python literal, in one line and without two opening braces in a row."""
    return '"' + _escape(text, _ESCAPES).replace("{{", "{\\x7b") + '"'


def comment(text: str) -> str:
    """Return a line of text so that it stays a comment: in one line, without ``{{``."""
    return _escape(text, {}).replace("{{", "{\\x7b")


def format_code(text: str) -> str:
    """Return code laid out for reading, comments and all."""
    if all(len(line) <= _STYLE["column_limit"] for line in text.split("\n")):
        return text
    from yapf.yapflib.yapf_api import FormatCode  # MMEngine formats its dumps with it

    return FormatCode(text, style_config=_STYLE)[0]


def _dict_code(value: dict) -> str:
    if all(_is_argument(key) for key in value):
        return "dict(" + ", ".join(f"{key}={code(value[key])}" for key in value) + ")"
    return "{" + ", ".join(f"{code(key)}: {code(value[key])}" for key in value) + "}"


def _is_argument(key: Any) -> bool:
    # ASCII: Python reads other identifiers in a normal form, so the key could come back changed
    return (
        isinstance(key, str) and key.isascii() and key.isidentifier() and not keyword.iskeyword(key)
    )


def _escape(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(char) or _printable(char) for char in text)


def _printable(char: str) -> str:
    """Return a character, or its escape if it is none that an editor shows, such as a newline."""
    if char.isprintable():
        return char
    number = ord(char)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
