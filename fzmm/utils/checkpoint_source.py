"""Where a checkpoint comes from: a file, an address, or the name of a config of MMDetection's."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

import torch

from fzmm.errors import UserError
from fzmm.utils.checkpoint_file import require_checkpoint
from fzmm.utils.config_file import require_package

# The beginning of its own SHA-256 that torchvision and OpenMMLab put into a file's name.
_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.")
_SECONDS = 30  # to wait for a server that does not answer


def checkpoint_address(name: str, option: str) -> str:
    """Return the path or address that a checkpoint's name stands for.

    Args:
        name: A file, an address, or a config such as ``mmdet::retinanet/retinanet_r50_fpn_1x_coco``
            whose weights the package's model index names.
        option: What it was given to, for messages.

    Raises:
        UserError: If the package is not installed, its index has no such config or no weights of
            it, or the address is of another kind.
    """
    if "::" in name:
        return _of_model_index(name, f"{option} {name}")
    if "://" in name and not name.startswith(("http://", "https://")):
        raise UserError(f"{option} {name}: give a file, https://... or mmdet::FOLDER/CONFIG.py")
    return name


def checkpoint_path(address: str) -> Path:
    """Return the file of a path or address; one from the network lies where torch keeps it."""
    if "://" not in address:
        return Path(os.path.expanduser(address))
    return Path(torch.hub.get_dir(), "checkpoints", os.path.basename(urlparse(address).path))


def fetched_checkpoint(address: str, option: str) -> Path:
    """Return the file of a path or address, downloaded if it is not there yet.

    Where the file's name has the beginning of its checksum, as OpenMMLab's do, it is checked.

    Raises:
        UserError: If there is no such file, or it cannot be downloaded.
    """
    path = checkpoint_path(address)
    if "://" in address and not path.is_file():
        _download(address, path, option)
    try:
        require_checkpoint(path)
    except UserError as error:
        raise UserError(f"{option}: {error}") from None
    return path


def _download(address: str, path: Path, option: str) -> None:
    import socket

    checksum = _HASH_IN_NAME.search(path.name)
    before = socket.getdefaulttimeout()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        socket.setdefaulttimeout(_SECONDS)
        # under another name first, as torch itself does
        torch.hub.download_url_to_file(
            address, str(path), checksum[1] if checksum else None, progress=os.isatty(2)
        )
    except (URLError, OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(getattr(error, "reason", None) or error).split())
        raise UserError(
            f"{option}: {address} cannot be downloaded ({reason}); download it elsewhere and give "
            "the file"
        ) from None
    finally:
        socket.setdefaulttimeout(before)


def _of_model_index(name: str, option: str) -> str:
    from mmengine.hub import get_config

    require_package(name, option)
    package, _, config = name.partition("::")
    if not config.endswith(".py"):
        config += ".py"
    try:
        address = get_config(f"{package}::{config}", pretrained=True).get("model_path")
    except Exception as error:  # a config is a program
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{option}: has no weights ({reason[:200]})") from None
    if not address:
        raise UserError(f"{option}: {package}'s model index names no weights of it; give a file")
    return str(address)
