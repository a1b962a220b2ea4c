"""A run directory belongs to one training at a time.

The lock is the kernel's (``flock``): it ends with the last process that holds the open file, in
whatever way that process ends, so that a killed sweep leaves no stale lock. A training that a sweep
starts inherits the open file; where its parent is killed, the directory stays locked until the
training has gone. That is why it is not ``filelock``, whose descriptor is private: nobody could
inherit it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fzmm.errors import UserError

LOCK_NAME = "run.lock"

# Tells a training that the process which started it holds the lock for it.
_TOKEN_VARIABLE = "FZMM_RUN_LOCK"


class RunLock:
    """The exclusive right to train in one run directory.

    Args:
        work_dir: The run's directory; made if it does not exist.
    """

    def __init__(self, work_dir: str | os.PathLike) -> None:
        self.path = Path(work_dir) / LOCK_NAME
        self.fd: int | None = None
        self._token = uuid.uuid4().hex

    def acquire(self, owner: dict[str, Any]) -> bool:
        """Take the lock, without waiting for another holder to end.

        Args:
            owner: Who takes it (``host``, ``pid``, ``where``), written into the lock file for
                whoever finds it held.

        Returns:
            Whether it is ours now.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)

        # Whoever asks for the state holds it for an instant: `lock_holder`.
        for _ in range(20):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.fd = fd
                break
            time.sleep(0.02)
        else:
            os.close(fd)
            return False

        self.note(owner)
        return True

    def note(self, owner: dict[str, Any]) -> None:
        """Write who holds the lock, in place of what it says."""
        with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
            os.ftruncate(self.fd, 0)
            os.pwrite(self.fd, json.dumps({**owner, "token": self._token}).encode(), 0)

    def environment(self) -> dict[str, str]:
        """Return the variables with which a child trains under this lock."""
        return {_TOKEN_VARIABLE: self._token}

    def release(self) -> None:
        """Give it up, also for children that have inherited it and are still ending."""
        if self.fd is not None:
            fcntl.flock(self.fd, fcntl.LOCK_UN)
            self.close_copy()

    def close_copy(self) -> None:
        """Close this process's open file; the lock stays with the others that have it."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


def lock_holder(work_dir: str | os.PathLike) -> dict[str, Any] | None:
    """Return what the holder of a run's lock wrote about itself, or None if nobody holds it."""
    holder = _holder_and_token(work_dir)
    return holder if holder is None else {k: v for k, v in holder.items() if k != "token"}


def _holder_and_token(work_dir: str | os.PathLike) -> dict[str, Any] | None:
    try:
        fd = os.open(Path(work_dir) / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None

    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        try:
            owner = json.loads(os.pread(fd, 4096, 0))
        except (OSError, ValueError, RecursionError):
            owner = None
        return owner if isinstance(owner, dict) else {}
    except OSError:  # a file system without locks: nobody can hold one
        return None
    finally:
        os.close(fd)

    return None


@contextlib.contextmanager
def training_in(work_dir: str | os.PathLike) -> Iterator[None]:
    """Hold a run directory while this process trains in it.

    Where this process holds it already, or the one that started it holds it for this training,
    there is nothing to do.

    Raises:
        UserError: If another training holds it, or the directory cannot be written.
    """
    lock = RunLock(work_dir)
    holder = _holder_and_token(work_dir)
    if holder and holder.get("token") == os.environ.get(_TOKEN_VARIABLE, ""):
        yield
        return

    try:
        if not lock.acquire(_this_process()):
            raise UserError(_held(work_dir))
    except OSError as error:
        raise UserError(f"{lock.path}: {error.strerror}; check the folder and its room") from None

    # A data worker that outlives a killed training for a moment must not keep it from resuming.
    os.register_at_fork(after_in_child=lock.close_copy)
    outer = os.environ.get(_TOKEN_VARIABLE)
    os.environ.update(lock.environment())

    try:
        yield
    finally:
        lock.release()
        os.environ.pop(_TOKEN_VARIABLE, None)
        if outer is not None:
            os.environ[_TOKEN_VARIABLE] = outer


def _this_process() -> dict[str, Any]:
    host, pid = socket.gethostname(), os.getpid()
    return {"host": host, "pid": pid, "where": f"{host} pid {pid}"}


def _held(work_dir: str | os.PathLike) -> str:
    where = (lock_holder(work_dir) or {}).get("where") or "another process"
    return f"{work_dir}: {where} is training here; wait for it or give another --work-dir"
