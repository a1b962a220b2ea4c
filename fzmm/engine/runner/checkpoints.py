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

from fzmm.engine.compat import patch_mmengine_loading
from fzmm.errors import UserError
from fzmm.utils.checkpoint_file import damaged_record, load_checkpoint, refusal, safe_classes

# Digits of ASCII, and no more than an iteration can have.
_NAME = re.compile(r"iter_([0-9]{1,18})\.pth")


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
            raise UserError(f"{url}: {refusal(str(error))}") from error

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
        damaged = damaged_record(path)
        if damaged:
            return f"{path}: damaged at {damaged}"
        load_checkpoint(path, "cpu", trust)
    except UserError as error:
        return str(error)
    except (OSError, RuntimeError, ValueError, zipfile.BadZipFile) as error:
        return f"{path}: not a readable checkpoint ({error})"
    return None
