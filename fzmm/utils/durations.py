"""How long something takes, as a person says it."""

from __future__ import annotations


def duration(seconds: float | None) -> str:
    """Return ``45 s``, ``12 min``, ``2 h 05 min`` or ``3 d 4 h``; a dash for unknown."""
    if seconds is None:
        return "-"
    seconds = max(0, round(seconds))
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    return f"{seconds // 86400} d {seconds % 86400 // 3600} h"


def decimal_duration(seconds: float | None) -> str:
    """Return ``38 s``, ``12.4 min`` or ``57.2 h``: in one unit, for numbers to be compared."""
    if seconds is None:
        return "unknown"
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    if seconds >= 120:
        return f"{seconds / 60:.1f} min"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"
