"""Reading files of which nothing is known, and writing files so that none is left half written."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from fzmm.errors import UserError

# Far above any log, record or config dump of a training, far below a machine's memory.
MAX_BYTES = 1 << 28


def open_regular(path: str | os.PathLike) -> IO[bytes]:
    """Open a file for reading, unless it is a pipe, a device or a folder.

    Raises:
        OSError: If it cannot be opened.
        UserError: If it is not a regular file: reading it could wait or go on for ever.
    """
    # Without waiting for a pipe's writer; it changes nothing for a regular file.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UserError(f"{path}: is not a regular file; give a file, no folder, pipe or device")
    return os.fdopen(descriptor, "rb")


def read_regular(path: str | os.PathLike, limit: int = MAX_BYTES) -> bytes:
    """Return a regular file's content.

    Args:
        path: The file.
        limit: Bytes that it may have at most.

    Raises:
        UserError: If it cannot be read, is not a regular file or is larger.
    """
    try:
        with open_regular(path) as file:
            # no more than the file has: `read` takes memory for all that it is asked for
            size = os.fstat(file.fileno()).st_size
            data = file.read(min(size, limit) + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read ({reason}); check the path") from None
    if len(data) > limit:
        raise UserError(f"{path}: is larger than {limit >> 20:,} MB; is it the right file?")
    return data


def read_json(path: str | os.PathLike, limit: int = MAX_BYTES) -> dict[str, Any]:
    """Return the JSON object of a regular file.

    Raises:
        UserError: If it cannot be read, or is no JSON object; one line that names it.
    """
    try:
        content = json.loads(read_regular(path, limit))
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise UserError(f"{path}: not readable as JSON ({reason})") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a JSON object")
    return content


def refuse_special(path: Path) -> None:
    """Refuse a pipe, a device or a socket where a file is to be read or written.

    Raises:
        UserError: If it is one.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UserError(f"{path}: is a pipe or a device; choose another file")


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike, mode: str = "w") -> Iterator[IO]:
    """Open a temporary file beside ``path`` that replaces it when the block ends without an error.

    Args:
        path: The file to write; its folder must exist.
        mode: ``"w"`` (UTF-8, Unix line ends) or ``"wb"``.

    Yields:
        The open temporary file. On an exception it is removed and ``path`` is left as it was.

    Raises:
        UserError: If ``path`` is a pipe or a device, which a file must not replace.
    """
    path = Path(path)
    refuse_special(path)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    descriptor, temporary = tempfile.mkstemp(
        prefix=f".{path.name}.", suffix=".tmp", dir=path.parent
    )

    try:
        with os.fdopen(descriptor, mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes 0600; a kept file follows the umask
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def write_file(path: Path, content: bytes) -> None:
    """Write a file, its folder included, so that it is there whole or not at all.

    Raises:
        UserError: If it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, "wb") as file:
            file.write(content)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None


def is_full(error: OSError) -> bool:
    """Whether a file could not be written for lack of room: disk, quota or largest file size."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def file_sha256(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    Raises:
        OSError: If it cannot be read.
        UserError: If it is not a regular file.
    """
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()
