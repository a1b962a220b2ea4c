"""Where fzmm's own files lie, in a clone and in an installed package."""

from __future__ import annotations

import os
from pathlib import Path

from fzmm.errors import UserError

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent
"""The clone, or the folder of installed packages."""
# Where MMDetection's own packages have their configs; in a clone it is a link to configs/.
CONFIGS = (PACKAGE / ".mim" / "configs").resolve()
BASES = CONFIGS / "_base_"
PREFIX = "fzmm::"


def config_path(name: str | os.PathLike) -> Path:
    """Return the file of a config that is named as a path, or as in ``_base_``.

    Args:
        name: A path, or ``fzmm::fz/coco50_frozen2.py`` for a config of this package.

    Raises:
        UserError: If this package has no such config.
    """
    if not str(name).startswith(PREFIX):
        return Path(name)
    path = CONFIGS / str(name)[len(PREFIX) :]
    if not path.is_file():
        raise UserError(f"{name}: fzmm has no such config; `mim search fzmm` lists them")
    return path
