"""What is done with a command of the documents: run, else parsed by its own parser."""

from __future__ import annotations

import argparse
import glob
import importlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

from fzmm.commands import main as fzmm
from fzmm.paths import CONFIGS, ROOT

# Neither run nor parsed here, and why. A command that is nowhere else has to be added here.
LEFT_OUT = {
    r"(\S+/)?pip .*|mim install .*|grep \S+ \S+ \S+ \| pip .*": "installs from the network",
    r"(cd|git clone|source|sudo install) .*": "goes to a folder of the reader's",
    r"for node in .*|scp .*": "copies between machines of the reader's",
    r"configs=\$\(ls .*\)": "a variable of the shell's, which stands in for what it names below",
    r"(\S+/)?ray (start|stop|status).*": "starts machines: tests/ray does",
    r"ray get-auth-token .*|export RAY_AUTH_MODE=.*": "Ray's own; tests/ray sets a token",
    r"echo .* >> ~/\.\w+": "writes into a file of the reader's",
    r"python -m pytest tests/fuzz": "the tests themselves",
    r"python -m benchmarks\._torchvision .*": "called by benchmarks, in torchvision's environment",
    r"python -m fzmm\.engine\.runner\.torchrun ARGUMENTS": "torchrun's arguments: dist_train.sh's",
}
# The names that stand for something of the reader's.
STAND_INS = {
    "CONFIG": "configs/toy/toy100_unfrozen.py",
    "$configs": "configs/fz/coco50_*.py",
    "CHECKPOINT": "iter_1.pth",
    "FILE": "train.json",
    "FOLDER": "cells",
    "DIR": "cells",
    "A.json": "train.json",
    "B.json": "val.json",
    "PROCESSES": "2",
    "REGEX": r"^(\d)",
}
LARGER = {"train.json": "instances_train2017.json"}  # where a hundred images are cut from it
FOLDERS_OF_HALVES = {"--train-images": "train", "--val-images": "val"}  # where both are DIR
HALVES = {
    "--train-ann": "data/neu-det/annotations/instances_train.json",
    "--train-images": "data/neu-det/train",
    "--val-ann": "data/neu-det/annotations/instances_val.json",
    "--val-images": "data/neu-det/val",
}


def check(words: list[str]) -> str:
    """Run or parse a command in the current folder; say which, or ``""`` if it is of no kind."""
    words = [STAND_INS.get(word, word) for word in words if word != "..."]
    text = " ".join(words)
    if any(re.fullmatch(pattern, text) for pattern in LEFT_OUT):
        return "left out"
    inner = re.fullmatch(r"eval \$\((.*)\)", text)
    if inner:
        return check(inner[1].split())
    words = words[: words.index(">")] if ">" in words else words

    program, *rest = words
    if program.endswith("python") and rest[0].startswith("tools/"):
        return _tool(rest[0], rest[1:])
    if program.endswith("python"):
        return _parse_program(rest)
    if Path(program).name == "fzmm":
        return _fzmm(rest[0], rest[1:])
    kinds = {"make": _make, "mim": _mim, "bash": _launcher}
    return kinds[program](rest) if program in kinds else ""


def _tool(script: str, arguments: list[str]) -> str:
    assert (ROOT / script).is_file(), script
    name = Path(script).stem.replace("_", "-")
    if name == "analyze-logs":
        name, *arguments = arguments
    return _fzmm(name.replace("_", "-"), arguments)


def _fzmm(name: str, arguments: list[str]) -> str:
    assert name in fzmm.COMMANDS, name
    if not arguments and name in ("train", "test", "convert"):
        return "named"  # in a sentence, without what it needs
    if name == "make-subsets" and arguments[0] != "verify":
        shutil.rmtree("data/coco/annotations/fz")  # which it makes
        arguments = [LARGER.get(word, word) for word in arguments]
    special = {"new-study": _new_study, "sweep": _sweep, "train": _train, "test": _test}
    if name in special:
        return special[name](arguments)
    if name == "demo":
        return _parse(lambda: _call("demo", arguments))
    return _call(name, _expand(arguments))


def _call(name: str, arguments: list[str]) -> str:
    sys.argv = ["fzmm", name, *arguments]
    assert not fzmm.main()
    return "run"


def _expand(words: list[str]) -> list[str]:
    """Return the words with patterns replaced by the files that a shell would name."""
    for word in words:
        assert "*" not in word or glob.glob(word) or word.endswith(".pth"), f"{word}: no such file"
    return [path for word in words for path in sorted(glob.glob(word)) or [word]]


_made: set[frozenset[str]] = set()


def _new_study(arguments: list[str]) -> str:
    from mmengine.config import Config

    from fzmm.commands.new_study import parser

    assert arguments[0] == "--name"
    if "--val-fraction" in arguments:
        arguments = ["unsplit" if word == "cells" else word for word in arguments]
    arguments = list(arguments)
    for option, half in FOLDERS_OF_HALVES.items():
        if option in arguments and arguments[arguments.index(option) + 1] == "cells":
            arguments[arguments.index(option) + 1] = f"cells/{half}"
    if not {"--data", "--train-ann"} & set(arguments):  # the page has said them before
        arguments += [word for pair in HALVES.items() for word in pair]
    shape = frozenset("PATH" if os.path.exists(word) else word for word in arguments[2:])
    # under another name, with other paths; or with weights from the network
    if shape in _made or "--load-from" in arguments:
        parser().parse_args(arguments)
        return "parsed"
    _made.add(shape)
    _call("new-study", [*arguments, "--cost-steps", "0"])
    name = arguments[1]
    cfg = Config.fromfile(sorted(glob.glob(f"configs/{name}/_base_/{name}*.py"))[0])
    if STAND_INS["CONFIG"] in arguments and "--scale" not in arguments:
        assert cfg.train_dataloader.dataset.pipeline[2].scale == (128, 128)  # the images' own
    return "run"


def _sweep(arguments: list[str]) -> str:
    """Show how a sweep stands, or plan it and read a config."""
    from fzmm.commands.sweep import parse, sweep_options
    from fzmm.sweep.config_facts import read_facts

    for study, pattern in re.findall(r"configs/(\w+)/(\S+)", " ".join(arguments)):
        folder = Path("configs", study)
        if not folder.exists():  # a study of the reader's
            shutil.copytree("configs/toy", folder)
        if not folder.is_symlink() and not list(folder.glob(pattern)):  # scenarios of it
            one = re.sub(r"\[(.)[^]]*\]", r"\1", pattern).replace("*", "")
            shutil.copy("configs/toy/toy100_unfrozen.py", folder / one)
    args, passed = parse(_expand(arguments))
    if args.status:
        return _call("sweep", _expand(arguments))
    if passed:
        _train([STAND_INS["CONFIG"], *passed])
    options = sweep_options(args, passed)
    first, *_ = options.plan()  # which asks for all of them
    read_facts(first.config, options.training_arguments)
    return "parsed"


def _train(arguments: list[str]) -> str:
    """Do all that a training does before it builds its model."""
    from fzmm.commands.train import parser
    from fzmm.engine.runner.fast import apply_fast
    from fzmm.engine.runner.prepare import load_config, prepare

    args = parser().parse_args(arguments)
    cfg = load_config(args.config, args.work_dir, cfg_options=args.cfg_options)
    if args.fast:
        apply_fast(cfg)
    prepare(cfg, args.resume, args.trust_checkpoint, args.scale_schedule, args.budget)
    return "parsed"


def _test(arguments: list[str]) -> str:
    from fzmm.commands.test import parser
    from fzmm.engine.runner.prepare import load_config

    args = parser().parse_args(_expand(arguments))
    load_config(args.config, args.work_dir, cfg_options=args.cfg_options)
    return "parsed"


def _launcher(words: list[str]) -> str:
    """Run a script whose Python or srun only notes its arguments, and check these."""
    for name in ("python", "srun"):
        Path(name).write_text('#!/bin/sh\nprintf "%s\\n" "$@" > noted.txt\n')
        Path(name).chmod(0o755)
    environment = dict(os.environ, PYTHON="./python", PATH=f".:{os.environ['PATH']}")
    script, *arguments = words
    subprocess.run(["bash", ROOT / script, *arguments], env=environment, check=True)
    noted = Path("noted.txt").read_text().splitlines()
    module = next(word for word in noted if word.startswith("fzmm.commands."))
    own = noted[noted.index(module) + 1 :]
    launcher = own.index("--launcher")
    assert own.pop(launcher) and own.pop(launcher) in ("pytorch", "slurm")
    return {"train": _train, "test": _test}[module.rpartition(".")[2]](own)


def _mim(words: list[str]) -> str:
    """Parse with mim's own parser, then what it passes on with ours."""
    name, *arguments = words
    command = importlib.import_module(f"mim.commands.{name}").cli
    if not arguments:
        return "named"
    params = command.make_context(name, arguments).params
    if name == "search":
        assert params["packages"] == ("fzmm",)
        return "parsed"
    assert params["package"] == "fzmm"
    config = params["config"]
    if not Path(config).is_file():
        [config] = CONFIGS.glob(f"*/{config}")
    passed = [params["checkpoint"] or "none"] if name == "test" else []
    return {"train": _train, "test": _test}[name]([str(config), *passed, *params["other_args"]])


def _make(words: list[str]) -> str:
    """Let make say what it would do, and check what it would call of fzmm's."""
    plan = subprocess.run(
        ["make", "-n", "--no-print-directory", "-C", ROOT, "PYTHON=python", *words],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    for line in plan.stdout.replace("\\\n", " ").splitlines():
        if re.search(r"python tools/(?!setup_env)", line):
            assert check(shlex.split(line))
    return "parsed"


class Parsed(Exception):
    """A program has parsed its arguments."""


def _parse(main) -> str:
    """Call a program until its parser has taken the arguments."""
    parse = argparse.ArgumentParser.parse_args

    def parse_only(parser, *args, **kwargs):
        raise Parsed(parse(parser, *args, **kwargs))

    with mock.patch.object(argparse.ArgumentParser, "parse_args", parse_only):
        try:
            main()
        except Parsed:
            return "parsed"
    raise AssertionError("it has parsed nothing")


def _parse_program(words: list[str]) -> str:
    """Parse the arguments of ``python FILE.py`` or ``python -m MODULE``."""
    if words[0] == "-m":
        module, arguments = importlib.import_module(words[1]), words[2:]
    else:
        module, arguments = _load(ROOT / words[0]), words[1:]
    sys.argv = [words[0], *arguments]
    return _parse(module.main)


def _load(path: Path):
    with mock.patch.object(sys, "path", [str(path.parent), *sys.path]):
        spec = importlib.util.spec_from_file_location(f"documented_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # where dataclasses look for their module
        spec.loader.exec_module(module)
    return module
