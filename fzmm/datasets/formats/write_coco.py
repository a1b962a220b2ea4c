"""Writing a COCO object to a file, the same object always as the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from fzmm.errors import UserError
from fzmm.utils.files import atomic_write


def coco_bytes(coco: dict[str, Any]) -> bytes:
    """Return the content of the file."""
    return orjson.dumps(coco) + b"\n"


def write_coco(path: Path, coco: dict[str, Any], force: bool = False) -> None:
    """Write a file, unless it is there with this content.

    Raises:
        UserError: If another file is there, unless forced, or it cannot be written.
    """
    content = coco_bytes(coco)
    refuse_other(path, content, force)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, "wb") as file:
            file.write(content)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None


def refuse_other(path: Path, content: bytes, force: bool = False) -> None:
    """Refuse to replace a file of another content, unless forced.

    Raises:
        UserError: If there is one, or a folder.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder; choose another file")
    if not force and path.exists() and path.read_bytes() != content:
        raise UserError(f"{path}: is there already and differs; pass --force, or another name")
