"""Reading a config file, which is a program, with one line for whatever goes wrong in it."""

from __future__ import annotations

import os
from pathlib import Path

from mmengine.config import Config

from fzmm.errors import UserError
from fzmm.paths import config_path


def read_config_file(
    path: str | os.PathLike,
    import_custom_modules: bool = True,
    name: str | None = None,
) -> Config:
    """Read a config file.

    Args:
        path: The file, one of this package's such as ``fzmm::fz/coco50_frozen2.py``, or one of
            MMDetection's such as ``mmdet::retinanet/retinanet_r50_fpn_1x_coco.py``.
        import_custom_modules: Whether to run the config's ``custom_imports``.
        name: What to call it in messages, such as ``--base a.py``; by default ``path``.

    Raises:
        UserError: If there is no such file or it cannot be read.
    """
    name = name or str(path)
    path = config_path(path)
    if "::" not in str(path) and not Path(path).is_file():
        raise UserError(
            f"{name}: no such config file; configs/fz and configs/toy hold the study's, and "
            "MMDetection's are called mmdet::FOLDER/FILE"
        )

    if "::" in str(path):
        require_package(str(path), name)
    try:
        if "::" in str(path):
            from mmengine.hub import get_config

            return get_config(str(path))
        return Config.fromfile(path, import_custom_modules=import_custom_modules)
    # Whatever a program can raise; SystemExit(0) in one must not look like a run that is done.
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{name}: cannot be read: {type(error).__name__}: {reason}") from error


def require_package(path: str, name: str) -> None:
    """Refuse a config of a package that is not here; MMEngine would install whatever has its name.

    Args:
        path: Such as ``mmdet::retinanet/retinanet_r50_fpn_1x_coco.py``.
        name: What to call it in messages.

    Raises:
        UserError: If the package is not installed.
    """
    from mmengine.utils import is_installed

    package = path.partition("::")[0]
    try:
        here = is_installed(package)
    except (ImportError, ValueError):  # no name of a package
        here = False
    if not here:
        raise UserError(f"{name}: the package {package} is not installed here")
