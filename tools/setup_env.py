#!/usr/bin/env python3
"""Make .venv and install everything into it; called by the Makefile, may be called again.

Runs on any Python 3 without a package, so that a wrong version can be told in a line. The variable
TORCH chooses PyTorch: any arguments of pip, by default those of the last call, at first the version
this project is tested with.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, ".fzmm-setup")
LOG = os.path.join(VENV, "setup.log")
LISTS = ["requirements.txt", "requirements/dev.txt", "pyproject.toml", "tools/setup_env.py"]
DEFAULT_TORCH = "torch==2.13.0"
# what onedl-mmcv needs before it is installed, to compile its operators
BUILD_TOOLS = ["setuptools>=77", "wheel", "ninja", "psutil"]
DISK_GB = 4  # .venv with PyTorch's CPU build takes 2.5 GB, unpacking and compiling the rest
CHECK = "import mmcv.ops, mmdet.apis, fzmm.register"


def fail(message):
    """End with one line."""
    sys.stderr.write("error: %s\n" % " ".join(message.split()))
    raise SystemExit(2)


def read_stamp():
    """Return what the last complete set-up left: its fingerprint and its choice of PyTorch."""
    if not os.path.exists(STAMP):
        return "", DEFAULT_TORCH
    with open(STAMP) as file:
        lines = file.read().splitlines() + ["", ""]
    return lines[0], lines[1] or DEFAULT_TORCH


def fingerprint(torch):
    """Return a text that changes when what is to be installed changes."""
    digest = hashlib.sha256(("%s %s" % (torch, sys.version_info[:2])).encode())
    for name in LISTS:
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def check_machine():
    """Tell in one line what is missing, before anything is installed."""
    if not (3, 10) <= sys.version_info[:2] <= (3, 12):
        fail(
            "Python %d.%d is not supported: install Python 3.10, 3.11 or 3.12, or name one with "
            "make PYTHON=/path/to/python3.11" % sys.version_info[:2]
        )
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        fail("this Python has no venv module: install it (on Debian: apt install python3-venv)")
    compiler = os.environ.get("CXX", "")
    if not any(shutil.which(name) for name in (compiler, "c++", "g++", "clang++") if name):
        fail("no C++ compiler, which MMCV's operators need: install one (Debian: apt install g++)")
    if not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
        fail("Python's headers are missing: install them (on Debian: apt install python3-dev)")
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < DISK_GB:
        fail(
            "%.1f GB free in %s: setting up needs %d GB; free some, or clone to another disk"
            % (free, ROOT, DISK_GB)
        )


def run(what, command):
    """Run a command, its output in the log, and say every half minute that it still runs."""
    print("%s ..." % what)
    sys.stdout.flush()
    start = time.time()
    ended = threading.Event()

    def remind():
        while not ended.wait(30):
            print("  ... still at it after %d s" % (time.time() - start))
            sys.stdout.flush()

    threading.Thread(target=remind, daemon=True).start()
    with open(LOG, "a", encoding="utf-8") as log:
        log.write("\n$ %s\n" % " ".join(command))
        log.flush()
        begin = log.tell()
        code = subprocess.call(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
    ended.set()
    if code:
        with open(LOG, encoding="utf-8", errors="replace") as log:
            log.seek(begin)
            lines = [line.strip() for line in log if line.strip()]
        fail("%s failed: %s (all of it: %s)" % (what, reason(lines), os.path.relpath(LOG, ROOT)))
    print("  done in %d s" % (time.time() - start))


def reason(lines):
    """Return the line of pip's or the compiler's output that says why it failed."""
    for mark in ("No space left on device", "No matching distribution", " error: ", "ERROR: "):
        for line in lines:
            if mark in line:
                return line
    return lines[-1] if lines else "no output"


def main():
    """Set up, unless that is done."""
    done, torch = read_stamp()
    torch = os.environ.get("TORCH") or torch
    wanted = fingerprint(torch)
    if done == wanted:
        return
    check_machine()
    start = time.time()
    python = os.path.join(VENV, "bin", "python")
    if not os.path.exists(python):
        print("making .venv with Python %d.%d" % sys.version_info[:2])
        sys.stdout.flush()
        subprocess.check_call([sys.executable, "-m", "venv", VENV])
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    # two calls, for TORCH may name an index that has PyTorch only
    run("1/5 installing what compiling needs", pip + BUILD_TOOLS)
    run("2/5 installing PyTorch (%s)" % torch, pip + shlex.split(torch))
    mmcv = requirement("onedl-mmcv")
    run(
        "3/5 installing MMCV; without a prebuilt wheel its operators are compiled now, about "
        "8 minutes on 2 cores",
        pip + ["--no-build-isolation", mmcv],
    )
    run(
        "4/5 installing the rest of requirements.txt and the test tools",
        pip + ["--no-build-isolation", "-r", "requirements.txt", "-r", "requirements/dev.txt"],
    )
    run(
        "5/5 installing fzmm itself, editable",
        pip + ["--no-build-isolation", "--no-deps", "-e", "."],
    )
    if subprocess.call([python, "-W", "ignore", "-c", CHECK], stdout=subprocess.DEVNULL):
        fail("the installed packages do not import together; remove .venv and try again")
    with open(STAMP, "w") as file:
        file.write("%s\n%s\n" % (wanted, torch))
    print("set up in %d s" % (time.time() - start))
    sys.stdout.flush()


def requirement(name):
    """Return the line of requirements.txt that names a package."""
    with open(os.path.join(ROOT, "requirements.txt")) as file:
        return next(line.strip() for line in file if line.startswith(name))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
