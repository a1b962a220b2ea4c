"""Where fzmm's own files lie and how its commands are called, in a clone and installed."""

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


def is_clone() -> bool:
    """Return whether fzmm runs from a clone, which has ``tools/``, or from an installed wheel."""
    return (ROOT / "tools" / "new_study.py").is_file()


def command_line(name: str) -> str:
    """Return what a user types for one of fzmm's commands.

    Args:
        name: Of the command as ``fzmm --help`` lists it, such as ``new-study`` or ``report``.
    """
    if not is_clone():
        return f"fzmm {name}"
    if name == "demo":
        return "make demo"
    script = name.replace("-", "_")
    if (ROOT / "tools" / f"{script}.py").is_file():
        return f"python tools/{script}.py"
    return f"python tools/analyze_logs.py {script}"
