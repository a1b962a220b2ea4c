"""Files that appear together or not at all, whatever else happens in their folder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from fzmm.errors import UserError

_STAGE = ".make_subsets-"
# A stage of this name is whole: whoever finds it has only to move what is left of it.
_JOURNAL = ".make_subsets-journal"
_REPLACED = "replaced-"


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
def appear_together(
    out_dir: str | os.PathLike, names: Sequence[str] = (), force: bool = True
) -> Iterator[Path]:
    """Give a folder to write into, whose files move to ``out_dir`` when the block ends well.

    One call at a time writes to ``out_dir``. Before the files move, their folder is renamed to a
    journal; a call that is killed while they move is completed by the next one.

    Args:
        out_dir: Where the files shall be. It is made if need be, and removed again if it was made
            and the block fails.
        names: Files that the block will write, as far as they are known.
        force: Replace files of these names that are there already.

    Yields:
        An empty folder on the same file system.

    Raises:
        UserError: If another call writes there, a file is there already, ``out_dir`` cannot be
            written or the disk is full. Nothing is left then, and files that were to be replaced
            are as they were.
    """
    out = Path(out_dir)
    missing = [folder for folder in (out, *out.parents) if not os.path.lexists(folder)]
    done = False
    try:
        try:
            out.mkdir(parents=True, exist_ok=True)
            with _locked(out):
                _recover(out)
                refuse_existing(out, names, force)
                stage = Path(tempfile.mkdtemp(prefix=_STAGE, dir=out))
                try:
                    yield stage
                    _commit(stage, out)
                finally:
                    shutil.rmtree(stage, ignore_errors=True)
            done = True
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError(
                f"{out}: cannot be written ({reason}); nothing was written, choose another "
                "--out-dir or make room"
            ) from None
    finally:
        if not done:
            for folder in missing:
                with contextlib.suppress(OSError):
                    folder.rmdir()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder. The kernel's lock is on the folder itself: no lock file is left in it.

    Raises:
        UserError: If another process holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UserError(
            f"{folder}: another call is writing subsets there; wait for it, or choose another "
            "--out-dir"
        ) from None
    except OSError as error:
        if error.errno not in (errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP):  # network drives
            os.close(descriptor)
            raise

    try:
        yield
    finally:
        os.close(descriptor)


def _recover(out: Path) -> None:
    """Complete the call that was killed while its files moved, and sweep what others left."""
    journal = out / _JOURNAL
    if journal.is_dir():
        for path in sorted(journal.iterdir()):
            if not path.is_dir():
                os.replace(path, out / path.name)
    for stage in out.glob(f"{_STAGE}*"):
        shutil.rmtree(stage, ignore_errors=True)


def _commit(stage: Path, out: Path) -> None:
    """Move every file of ``stage`` to ``out``; undo what was done if one cannot be moved."""
    names = sorted(path.name for path in stage.iterdir())
    for name in names:
        with open(stage / name, "rb") as file:
            os.fsync(file.fileno())

    journal = out / _JOURNAL
    stage.rename(journal)

    replaced = Path(tempfile.mkdtemp(prefix=_REPLACED, dir=journal))
    moved: list[str] = []
    try:
        for name in names:
            if os.path.lexists(out / name):
                # Linked, not moved: the old file stays in its place until the new one is there.
                _keep(out / name, replaced / name)
            os.replace(journal / name, out / name)
            moved.append(name)
    except BaseException:
        for name in moved:
            os.unlink(out / name)
        for path in replaced.iterdir():
            os.replace(path, out / path.name)
        raise
    finally:
        shutil.rmtree(journal, ignore_errors=True)


def _keep(path: Path, copy: Path) -> None:
    try:
        os.link(path, copy, follow_symlinks=False)
    except OSError:  # a file system without links
        shutil.copy2(path, copy, follow_symlinks=False)
