"""The one way in which fzmm tells a user that an input is wrong."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from fzmm.utils.terminal import printable

# Set in the processes that share one launcher of fzmm's, to its process id.
ONE_LAUNCHER = "FZMM_ONE_LAUNCHER"


_LONGEST = 1_500  # characters of a message; some quote what a file of anybody's holds


class UserError(Exception):
    """A mistake in what the user gave; its text is one line that names the place and the fix."""

    def __str__(self) -> str:
        """Return the message, without its middle where that is very long."""
        text = super().__str__()
        if len(text) <= _LONGEST:
            return text
        return f"{text[: _LONGEST // 3]} ... {text[-_LONGEST // 3 :]}"


def fail(message: str) -> NoReturn:
    """Print ``message`` as the program's one line of error and exit with code 2.

    One of several processes of ``fzmm.engine.runner.torchrun`` hands it over, to be printed once.
    """
    line = f"error: {printable(' '.join(str(message).split()))}"
    if ONE_LAUNCHER in os.environ and "TORCHELASTIC_ERROR_FILE" in os.environ:
        # as torch.distributed.elastic.multiprocessing.errors.ProcessFailure reads it
        record = {"message": line, "timestamp": int(time.time())}
        with open(os.environ["TORCHELASTIC_ERROR_FILE"], "w", encoding="utf-8") as file:
            json.dump(record, file)
    else:
        print(line, file=sys.stderr)
    raise SystemExit(2)


def end_in_one_line_anywhere() -> None:
    """Let a ``UserError`` that nobody catches end any program as ``run_cli`` would.

    MMDetection's own scripts, which ``mim`` calls, meet fzmm only in a config and know nothing of
    ``run_cli``. Every other exception goes where it went before. A second call changes nothing.
    """
    before = sys.excepthook
    if getattr(before, "ends_in_one_line", False):
        return

    def end(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
        if isinstance(error, UserError):
            fail(str(error))
        before(kind, error, traceback)

    end.ends_in_one_line = True
    sys.excepthook = end


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
