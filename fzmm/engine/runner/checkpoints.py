"""Checkpoints are data: loading them without running code, and finding the last good one."""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log

from fzmm.engine.compat import patch_mmengine_loading, safe_classes
from fzmm.errors import UserError

# Digits of ASCII, and no more than an iteration can have.
_NAME = re.compile(r"iter_([0-9]{1,18})\.pth")


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


def load_checkpoint(path: str | os.PathLike, map_location: Any = "cpu", trust: bool = False) -> Any:
    """Load a checkpoint that may hold tensors, plain Python data and MMEngine's log buffers.

    Args:
        path: A local file.
        map_location: As in ``torch.load``.
        trust: Unpickle whatever the file asks for, which can run any code its author chose.

    Raises:
        UserError: If it is no file, it is damaged, or it needs another class.
    """
    require_checkpoint(path)
    if trust:
        return _load(path, map_location, weights_only=False)
    torch.serialization.add_safe_globals(safe_classes())
    return _load(path, map_location, weights_only=True)


def _load(path: str | os.PathLike, map_location: Any, weights_only: bool) -> Any:
    try:
        return torch.load(path, map_location=map_location, weights_only=weights_only)
    except pickle.UnpicklingError as error:
        raise UserError(f"{path}: {_refusal(str(error))}") from error
    except MemoryError:
        raise
    except Exception as error:  # what rubbish makes an unpickler raise is anything
        if "CUDA" in str(error):
            raise  # a device's trouble, not the file's
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{path}: not a readable checkpoint ({reason})") from error


def _refusal(message: str) -> str:
    """Return one line for what torch's restricted unpickler would not do."""
    needed = re.search(r"GLOBAL ([\w.]+)|[Uu]nsupported class ([\w.]+)", message)
    if needed is None:
        reason = message.strip().splitlines()[0] if message.strip() else "unknown content"
        return (
            f"is damaged or holds more than data ({reason}); if you trust where it comes from, add "
            "--trust-checkpoint"
        )
    name = next(group for group in needed.groups() if group)
    return (
        f"needs the class {name}, and loading it could run code; if you trust where the file comes "
        "from, add --trust-checkpoint"
    )


def install_safe_loading(trust: bool = False) -> None:
    """Make every checkpoint that MMEngine loads in this process go through :func:`load_checkpoint`.

    That is ``load_from``, ``--resume`` and the pretrained weights of an ``init_cfg``, local or
    downloaded. MMEngine 0.10.12 itself falls back to full unpickling with no more than a log line,
    and unpickles downloaded files in any case.

    Args:
        trust: Allow full unpickling (``--trust-checkpoint``).
    """

    def load_file(path: str, map_location: Any) -> Any:
        return load_checkpoint(path, map_location, trust=trust)

    def load_url(url: str, *args: Any, **kwargs: Any) -> Any:
        torch.serialization.add_safe_globals(safe_classes())
        try:
            return torch.hub.load_state_dict_from_url(url, *args, **kwargs, weights_only=not trust)
        except pickle.UnpicklingError as error:
            raise UserError(f"{url}: {_refusal(str(error))}") from error

    patch_mmengine_loading(load_file, load_url)


def find_resume_checkpoint(work_dir: str | os.PathLike, trust: bool = False) -> str | None:
    """Return the newest readable ``iter_N.pth`` of a run, or None if it has saved none yet.

    A checkpoint that cannot be read is passed over with a message. Only the files themselves are
    believed: ``last_checkpoint`` may name one that is gone.

    Args:
        work_dir: The run's directory.
        trust: As in :func:`load_checkpoint`.

    Raises:
        UserError: If there are checkpoints and none can be read.
    """
    by_iteration = {
        int(name.group(1)): path
        for path in Path(work_dir).glob("iter_*.pth")
        if (name := _NAME.fullmatch(path.name)) and path.is_file()
    }
    refused = []
    for _, path in sorted(by_iteration.items(), reverse=True):
        reason = _why_unreadable(path, trust)
        if reason is None:
            return str(path)
        refused.append(reason)
        print_log(f"passed over on resuming: {reason}", logger="current", level=30)

    if refused:
        raise UserError(
            f"{work_dir}: none of its {len(refused)} checkpoints can be read; the newest: "
            f"{refused[0]}. Move them away to start again"
        )

    return None


def _why_unreadable(path: Path, trust: bool) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # every record's checksum, which torch.load does not check
        if damaged:
            return f"{path}: damaged at {damaged}"
        load_checkpoint(path, "cpu", trust)
    except UserError as error:
        return str(error)
    except (OSError, RuntimeError, ValueError, zipfile.BadZipFile) as error:
        return f"{path}: not a readable checkpoint ({error})"
    return None
