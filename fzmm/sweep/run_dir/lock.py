"""A run directory belongs to one training at a time.

The lock is the kernel's (``flock``): it ends with the last process that holds the open file, in
whatever way that process ends, so that a killed sweep leaves no stale lock. The training inherits
the open file; where its parent is killed, the directory stays locked until the training has gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

LOCK_NAME = "run.lock"


class RunLock:
    """The exclusive right to train in one run directory.

    Args:
        work_dir: The run's directory; made if it does not exist.
    """

    def __init__(self, work_dir: str | os.PathLike) -> None:
        self.path = Path(work_dir) / LOCK_NAME
        self.fd: int | None = None

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
        with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
            os.ftruncate(fd, 0)
            os.pwrite(fd, json.dumps(owner).encode(), 0)
        return True

    def release(self) -> None:
        """Give it up, also for children that have inherited it and are still ending."""
        if self.fd is not None:
            fcntl.flock(self.fd, fcntl.LOCK_UN)
            os.close(self.fd)
            self.fd = None


def lock_holder(work_dir: str | os.PathLike) -> dict[str, Any] | None:
    """Return what the holder of a run's lock wrote about itself, or None if nobody holds it."""
    try:
        fd = os.open(Path(work_dir) / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        try:
            owner = json.loads(os.pread(fd, 4096, 0))
        except ValueError:
            owner = None
        return owner if isinstance(owner, dict) else {}
    except OSError:  # a file system without locks: nobody can hold one
        return None
    finally:
        os.close(fd)
    return None
