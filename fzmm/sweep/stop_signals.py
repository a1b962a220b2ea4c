"""Ctrl-C and its like, as a question that a loop can ask."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


class StopRequest:
    """Whether the sweep was told to stop, and whether it was told again."""

    asked = False
    again = False


@contextlib.contextmanager
def stop_signals() -> Iterator[StopRequest]:
    """Note SIGINT, SIGTERM and SIGHUP instead of ending by them."""
    stop = StopRequest()

    def note(*_: object) -> None:
        stop.again = stop.asked
        stop.asked = True

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
