"""A signal at the end of the process that started this one, in whatever way it ends (Linux)."""

from __future__ import annotations

import ctypes
import os

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True)


def signal_at_parents_end(number: int, parent: int) -> bool:
    """Ask the kernel for a signal to this process once its parent has gone.

    Args:
        number: The signal.
        parent: Process id of the parent.

    Returns:
        Whether the parent is still there; if not, no signal will come.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, number)
    return os.getppid() == parent
