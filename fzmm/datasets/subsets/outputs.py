"""Files that appear together or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from fzmm.errors import UserError


def refuse_existing(out_dir: Path, names: Sequence[str], force: bool = False) -> None:
    """Refuse to replace files, unless forced, and folders in any case.

    Raises:
        UserError: If one of ``names`` is in ``out_dir`` already.
    """
    for name in names:
        path = out_dir / name
        if os.path.isdir(path) and not os.path.islink(path):
            raise UserError(f"{path}: is a folder; remove it, or choose another --out-dir")
        if not force and os.path.lexists(path):
            raise UserError(
                f"{path}: exists already; pass --force to replace it, or choose another --out-dir"
            )


@contextlib.contextmanager
def appear_together(out_dir: str | os.PathLike) -> Iterator[Path]:
    """Give a folder to write into, whose files move to ``out_dir`` when the block ends well.

    Args:
        out_dir: Where the files shall be. It is made if need be, and removed again if it was made
            and the block fails.

    Yields:
        An empty folder on the same file system.

    Raises:
        UserError: If ``out_dir`` cannot be written or the disk is full. Nothing is left then, and
            files that were to be replaced are as they were.
    """
    out = Path(out_dir)
    missing = [folder for folder in (out, *out.parents) if not os.path.lexists(folder)]
    done = False
    stage: Path | None = None
    try:
        try:
            out.mkdir(parents=True, exist_ok=True)
            stage = Path(tempfile.mkdtemp(prefix=".make_subsets-", dir=out))
            yield stage
            _move(stage, out)
            done = True
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError(
                f"{out}: cannot be written ({reason}); nothing was written, choose another "
                "--out-dir or make room"
            ) from None
    finally:
        if stage is not None:
            shutil.rmtree(stage, ignore_errors=True)
        if not done:
            for folder in missing:
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _move(stage: Path, out: Path) -> None:
    """Move every file of ``stage`` to ``out``; undo what was done if one cannot be moved."""
    names = sorted(path.name for path in stage.iterdir())
    for name in names:
        with open(stage / name, "rb") as file:
            os.fsync(file.fileno())
    replaced = Path(tempfile.mkdtemp(prefix="replaced-", dir=stage))
    moved: list[str] = []
    try:
        for name in names:
            if os.path.lexists(out / name):
                os.replace(out / name, replaced / name)
            os.replace(stage / name, out / name)
            moved.append(name)
    except BaseException:
        for name in moved:
            os.unlink(out / name)
        for path in replaced.iterdir():
            os.replace(path, out / path.name)
        raise
