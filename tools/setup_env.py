#!/usr/bin/env python3
"""Make .venv and install everything into it; called by the Makefile, may be called again.

    setup_env.py        install; MMCV without its operators unless a prebuilt wheel is at hand
    setup_env.py ops    compile MMCV's operators for the PyTorch in .venv

Runs on any Python 3 without a package, so that a wrong version can be told in a line. The variables
TORCH and MMCV choose these two: any arguments of pip, by default those of the last call, at first
the versions this project is tested with.

pip does it, also where uv is installed: uv reads neither pip's configuration nor its PIP_*
variables, so an index, certificates or wheels that are named there would be passed over in silence.
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
PYTHON = os.path.join(VENV, "bin", "python")
PIP = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
PIP += ["--no-compile"]  # Python does, and only what it imports
LISTS = [
    "requirements.txt",
    "requirements/dev.txt",
    "pyproject.toml",
    "setup.py",
    "tools/setup_env.py",
]
DEFAULTS = {"TORCH": "torch==2.13.0", "MMCV": "onedl-mmcv>=2.3.6"}
COMPILE_TOOLS = ["setuptools>=77", "wheel", "ninja", "psutil"]  # as MMCV's setup.py imports them
VERSIONS = ((3, 10), (3, 13))
DISK_GB = 3  # .venv with PyTorch's CPU build takes 2 GB, unpacking the rest
CHECK = "import mmcv.ops, mmdet.apis, fzmm.register"
COMPILED = "import sys, mmcv._ext as e; sys.exit(e.__file__.endswith('.py'))"


def fail(message):
    """End with one line."""
    sys.stderr.write("error: %s\n" % " ".join(message.split()))
    raise SystemExit(2)


def read_stamp():
    """Return what the last complete set-up left: its fingerprint and its choices."""
    if not os.path.exists(STAMP):
        return "", dict(DEFAULTS)
    with open(STAMP) as file:
        lines = file.read().splitlines()
    return lines[0], dict(DEFAULTS, **dict(line.split(" ", 1) for line in lines[1:]))


def fingerprint(choices):
    """Return a text that changes when what is to be installed changes."""
    digest = hashlib.sha256(("%s %s" % (sorted(choices.items()), sys.version_info[:2])).encode())
    for name in LISTS:
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def check_machine():
    """Tell in one line what is missing, before anything is installed."""
    if not VERSIONS[0] <= sys.version_info[:2] <= VERSIONS[1]:
        fail(
            "Python %d.%d is not supported: install Python 3.10 to 3.13, or name one with "
            "make PYTHON=/path/to/python3.11" % sys.version_info[:2]
        )
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        fail("this Python has no venv module: install it (on Debian: apt install python3-venv)")
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < DISK_GB:
        fail(
            "%.1f GB free in %s: setting up needs %d GB, 7 with PyTorch's CUDA build; free some, "
            "or clone to another disk" % (free, ROOT, DISK_GB)
        )


def check_compiler():
    """Tell in one line what compiling lacks."""
    compiler = os.environ.get("CXX", "")
    if not any(shutil.which(name) for name in (compiler, "c++", "g++", "clang++") if name):
        fail("no C++ compiler, which MMCV's operators need: install one (Debian: apt install g++)")
    if not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
        fail("Python's headers are missing: install them (on Debian: apt install python3-dev)")


def run(step, command):
    """Run a command, its output in the log, and say every half minute that it still runs."""
    print("%s ..." % step)
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
        fail("%s failed: %s (all of it: %s)" % (step, reason(lines), os.path.relpath(LOG, ROOT)))
    print("  done in %d s" % (time.time() - start))


def reason(lines):
    """Return the line of pip's or the compiler's output that says why it failed."""
    for mark in ("No space left on device", "No matching distribution", " error: ", "ERROR: "):
        for line in lines:
            if mark in line:
                return line
    return lines[-1] if lines else "no output"


def set_up():
    """Set up, unless that is done."""
    done, choices = read_stamp()
    before = choices["MMCV"]
    choices = {name: os.environ.get(name) or choice for name, choice in choices.items()}
    wanted = fingerprint(choices)
    if done == wanted:
        return
    check_machine()
    start = time.time()
    if not os.path.exists(PYTHON):
        print("making .venv with Python %d.%d" % sys.version_info[:2])
        sys.stdout.flush()
        subprocess.check_call([sys.executable, "-m", "venv", VENV])

    # PyTorch by itself, for TORCH may name an index that has nothing else.
    run("1/3 installing PyTorch (%s)" % choices["TORCH"], PIP + shlex.split(choices["TORCH"]))
    # Built where pip's isolation hides PyTorch, MMCV comes without operators, in seconds. pip keeps
    # the wheel of a version that it built first, so neither way of building may use its cache.
    mmcv = PIP + ["--no-cache-dir", "--no-deps"] + shlex.split(choices["MMCV"])
    if choices["MMCV"] != before:  # perhaps another build of the version that is there
        mmcv += ["--force-reinstall"]
    run("2/3 installing MMCV, without operators unless there is a prebuilt wheel", mmcv)
    run(
        "3/3 installing the rest of requirements.txt, the test tools and fzmm, editable",
        PIP + ["-r", "requirements.txt", "-r", "requirements/dev.txt", "-e", "."],
    )
    if not imports(CHECK):
        fail("the installed packages do not import together; remove .venv and try again")
    with open(STAMP, "w") as file:
        lines = [wanted] + ["%s %s" % choice for choice in sorted(choices.items())]
        file.write("\n".join(lines) + "\n")
    print("set up in %d s" % (time.time() - start))
    sys.stdout.flush()


def compile_operators():
    """Install MMCV again, with its operators."""
    check_compiler()
    run("1/2 installing what compiling needs", PIP + COMPILE_TOOLS)
    step = "2/2 compiling MMCV's operators, 8 to 23 minutes on 2 cores"
    again = PIP + ["--no-cache-dir", "--no-build-isolation", "--no-deps", "--force-reinstall"]
    again += shlex.split(read_stamp()[1]["MMCV"])
    run(step, again)
    if not imports(COMPILED):  # a wheel at hand was one that pip's isolation had built
        run(step, again + ["--no-binary", "onedl-mmcv,mmcv"])
    if not imports(COMPILED):
        fail("MMCV was built without operators; %s says why" % os.path.relpath(LOG, ROOT))


def imports(program):
    """Return whether what was installed does as a program expects."""
    return not subprocess.call([PYTHON, "-W", "ignore", "-c", program], stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    try:
        compile_operators() if sys.argv[1:] == ["ops"] else set_up()
    except KeyboardInterrupt:
        raise SystemExit(130)  # noqa: B904
