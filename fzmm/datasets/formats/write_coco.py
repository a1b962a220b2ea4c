"""Writing a COCO object to a file, the same object always as the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson

from fzmm.errors import UserError
from fzmm.utils.files import refuse_special, write_file


def coco_bytes(coco: dict[str, Any]) -> bytes:
    """Return the content of the file."""
    try:
        return orjson.dumps(coco) + b"\n"
    except TypeError:  # whole numbers of more than 64 bits, halves of a character
        return json.dumps(coco, separators=(",", ":")).encode() + b"\n"


def write_coco(path: Path, coco: dict[str, Any], force: bool = False) -> None:
    """Write a file, unless it is there with this content.

    Raises:
        UserError: If another file is there, unless forced, or it cannot be written.
    """
    content = coco_bytes(coco)
    refuse_other(path, content, force)
    write_file(path, content)


def refuse_other(path: Path, content: bytes, force: bool = False) -> None:
    """Refuse to replace a file of another content, unless forced.

    Raises:
        UserError: If there is one, or a folder, a pipe or a device, forced or not.
    """
    try:
        if path.is_dir():
            raise UserError(f"{path}: is a folder; choose another file")
        refuse_special(path)
        if not force and path.exists() and not _holds(path, content):
            raise UserError(f"{path}: is there already and differs; pass --force, or another name")
    except OSError as error:  # a name too long for a file
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None


def _holds(path: Path, content: bytes) -> bool:
    return path.stat().st_size == len(content) and path.read_bytes() == content
