"""A process in which readers are called under limits: of memory, absolute, and of time.

Run as a program it answers calls, a line of JSON each, with what readers.py returns.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import select
import subprocess
import sys
import traceback
from pathlib import Path

GIGABYTE = 1 << 30
MOST_SECONDS = 10


class Reader:
    """Calls functions of readers.py in a process of its own, which it starts when needed.

    Args:
        modules: What it imports before the time of a call is taken.
        address_space: Bytes that the process may ever have mapped. Where that is more than a
            gigabyte, for PyTorch alone maps several, its resident memory may not reach one.
    """

    def __init__(self, *modules: str, address_space: int = GIGABYTE) -> None:
        self.arguments = [str(address_space), *modules]
        self.process: subprocess.Popen | None = None

    def __call__(self, name: str, *paths: object):
        """Return what the function returned.

        Raises:
            AssertionError: If it raised, took more than ten seconds or came to need a gigabyte.
        """
        self.start()
        process = self.process
        process.stdin.write(json.dumps([name, *map(str, paths)]) + "\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], MOST_SECONDS)[0]:
            self.close()
            raise AssertionError(f"{name}: no answer after {MOST_SECONDS} s")
        line = process.stdout.readline()
        if not line:
            code = process.wait()
            self.close()
            raise AssertionError(f"{name}: the process ended with {code}")
        answer = json.loads(line)
        assert answer["peak"] < GIGABYTE, f"{name}: {answer['peak'] >> 20} MB"
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def start(self) -> None:
        """Start the process where it is not running, and wait for its imports."""
        if self.process is not None:
            return
        self.process = subprocess.Popen(
            [sys.executable, __file__, *self.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert self.process.stdout.readline(), "the process of the readers did not start"

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


def peak_memory() -> int:
    """Return the most bytes that were resident in this process at once."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def answer(name: str, *paths: str) -> dict:
    """Call a function and say how that went."""
    import readers

    try:
        result = dict(result=getattr(readers, name)(*paths))
    except BaseException:
        result = dict(error=traceback.format_exc())
    return dict(result, peak=peak_memory())


def main() -> None:
    """Answer until there is nothing more to answer."""
    limit, *modules = int(sys.argv[1]), *sys.argv[2:]
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what commands print
    for module in modules:
        importlib.import_module(module)
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(*json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
