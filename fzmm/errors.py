"""The one way in which fzmm tells a user that an input is wrong."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import NoReturn

from fzmm.terminal import printable


class UserError(Exception):
    """A mistake in what the user gave; its text is one line that names the place and the fix."""


def fail(message: str) -> NoReturn:
    """Print ``message`` as the program's one line of error and exit with code 2."""
    print(f"error: {printable(' '.join(str(message).split()))}", file=sys.stderr)
    raise SystemExit(2)


def run_cli(main: Callable[[], int | None]) -> NoReturn:
    """Run a tool's ``main``; a ``UserError`` becomes one line on stderr and exit code 2.

    A closed pipe (``... | head``) and Ctrl-C end quietly, as in other command-line programs.
    """
    with contextlib.suppress(AttributeError):  # where something stands in for the real stream
        sys.stdout.reconfigure(errors="backslashreplace")  # no character is worth a traceback
    try:
        raise SystemExit(main() or 0)
    except UserError as error:
        fail(str(error))
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(141) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
