"""The most memory that training took: of the GPU, or resident where there is none."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def peak_memory_mb() -> float:
    """Return MiB: the peak of allocated GPU memory, on a CPU of this process's resident set.

    On Linux the peak is since the last :func:`forget_peak`, elsewhere since the process began.
    """
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 2**20, 1)
    # not getrusage where it can be helped: its maximum survives fork and exec
    with contextlib.suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)


def forget_peak() -> None:
    """Count the resident set's peak from here, so that an evaluation is not in it."""
    if not torch.cuda.is_available():
        with contextlib.suppress(OSError):
            _CLEAR.write_text("5")  # proc(5): resets VmHWM alone
