"""Checkpoints are data: reading one without running code that its author chose."""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from fzmm.errors import UserError

_TRUST = "if you trust where the file comes from, add --trust-checkpoint"


def require_checkpoint(path: str | os.PathLike) -> None:
    """Refuse what cannot be a checkpoint before anything opens it; a pipe would be waited for.

    Raises:
        UserError: If a local path is missing, a folder, a pipe or a device.
    """
    local = os.path.expanduser(path)
    if "://" in str(path) or os.path.isfile(local):
        return
    if os.path.isdir(local):
        raise UserError(f"{path}: is a folder; give a checkpoint, such as one of its iter_*.pth")
    if os.path.exists(local):
        raise UserError(f"{path}: is not a regular file; give a checkpoint, no pipe or device")
    raise UserError(f"{path}: no such checkpoint; a run keeps iter_*.pth and best_*.pth")


def load_checkpoint(
    path: str | os.PathLike, map_location: Any = "cpu", trust: bool = False, hint: str = _TRUST
) -> Any:
    """Load a checkpoint that may hold tensors, plain Python data and MMEngine's log buffers.

    Args:
        path: A local file.
        map_location: As in ``torch.load``.
        trust: Unpickle whatever the file asks for, which can run any code its author chose.
        hint: What to do with a file that holds more than data.

    Raises:
        UserError: If it is no file, it is damaged, or it needs another class.
    """
    require_checkpoint(path)
    if trust:
        return _load(path, map_location, False, hint)
    torch.serialization.add_safe_globals(safe_classes())
    return _load(path, map_location, True, hint)


def _load(path: str | os.PathLike, map_location: Any, weights_only: bool, hint: str) -> Any:
    try:
        return torch.load(path, map_location=map_location, weights_only=weights_only)
    except pickle.UnpicklingError as error:
        raise UserError(f"{path}: {refusal(str(error), hint)}") from error
    except MemoryError:
        raise
    except Exception as error:  # what rubbish makes an unpickler raise is anything
        if "CUDA" in str(error):
            raise  # a device's trouble, not the file's
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{path}: not a readable checkpoint ({reason})") from error


def refusal(message: str, hint: str = _TRUST) -> str:
    """Return one line for what torch's restricted unpickler would not do."""
    needed = re.search(r"GLOBAL ([\w.]+)|[Uu]nsupported class ([\w.]+)", message)
    if needed is None:
        reason = message.strip().splitlines()[0] if message.strip() else "unknown content"
        return f"is damaged or holds more than data ({reason}); {hint}"
    name = next(group for group in needed.groups() if group)
    return f"needs the class {name}, and loading it could run code; {hint}"


def damaged_record(path: str | os.PathLike) -> str | None:
    """Return the first part of a checkpoint whose checksum is wrong, which torch does not check.

    Raises:
        zipfile.BadZipFile: If it is no archive, as those of torch before 1.6.
    """
    with zipfile.ZipFile(path) as archive:
        return archive.testzip()


def safe_classes() -> list[Any]:
    """Return what MMEngine's checkpoints hold beyond torch's own safe types, none of it code.

    ``HistoryBuffer`` is the log's running values, the rest is how NumPy's arrays and scalars are
    pickled. MMEngine's own list holds ``getattr``, with which a file can reach much; here it is
    replaced by one that only finds the statistics of a ``HistoryBuffer``, which pickle by name.
    """
    core = np._core if hasattr(np, "_core") else np.core
    dtypes = (np.bool_, np.uint8, np.int32, np.int64, np.uint32, np.uint64, np.float32, np.float64)
    return [
        HistoryBuffer,
        np.ndarray,
        np.dtype,
        core.multiarray._reconstruct,
        core.multiarray.scalar,
        _statistic,
        *{type(np.dtype(dtype)) for dtype in dtypes},
    ]


def _statistic(owner: Any, name: str) -> Any:
    """Stand for ``getattr`` in a checkpoint."""
    if owner is not HistoryBuffer or name.startswith("_") or name not in vars(HistoryBuffer):
        raise UnpicklingError("Unsupported global: GLOBAL builtins.getattr was not an allowed one")
    return getattr(owner, name)


# torch finds what it may call by these names.
_statistic.__module__, _statistic.__name__, _statistic.__qualname__ = (
    "builtins",
    "getattr",
    "getattr",
)
