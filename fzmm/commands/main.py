"""The command ``fzmm``: all that ``tools/`` has, under one name, wherever fzmm is installed."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import NamedTuple

from fzmm.errors import UserError, run_cli
from fzmm.version import __version__

EXAMPLE = """examples:
  fzmm demo
  fzmm make-subsets data/coco/annotations/instances_train2017.json
  fzmm train fzmm::fz/coco50_frozen2.py --seed 1
  fzmm report work_dirs --out report

`fzmm COMMAND --help` explains a command. `eval "$(fzmm completion bash)"` makes the shell complete
commands and options.
"""


class Command(NamedTuple):
    """A module of ``fzmm.commands`` and what ``fzmm --help`` says of it."""

    module: str
    help: str
    subcommand: str = ""


COMMANDS = {
    "demo": Command("demo", "Run the whole study on an embedded dataset, on a CPU."),
    "make-subsets": Command("make_subsets", "Cut class-stratified subsets of a dataset."),
    "convert": Command("convert", "Write a folder of YOLO, Pascal VOC or COCO data as COCO JSON."),
    "new-study": Command("new_study", "Check a dataset and write the study's configs for it."),
    "train": Command("train", "Train one detector."),
    "test": Command("test", "Evaluate a checkpoint."),
    "sweep": Command("sweep", "Train many configs with many seeds, here or on a cluster."),
    "report": Command("analyze_logs", "Write a page with the answer and its evidence.", "report"),
    "recommend": Command("analyze_logs", "Say what to freeze for each data amount.", "recommend"),
    "summarise": Command("analyze_logs", "Print a Markdown table of the runs.", "summarise"),
    "archive": Command("analyze_logs", "Copy what a report reads of runs, small.", "archive"),
    "plot-curve": Command("analyze_logs", "Draw keys of logs over training.", "plot_curve"),
    "cal-train-time": Command(
        "analyze_logs", "Print the average time of a training iteration.", "cal_train_time"
    ),
    "completion": Command("completion", "Print the shell's completion of this command."),
}


def run() -> None:
    """Run the command line; what the console script calls."""
    run_cli(main)


def main() -> int | None:
    """Run the command that the first argument names."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in COMMANDS:
        if name[:1] not in ("", "-"):
            raise UserError(f"fzmm {name}: no such command; `fzmm --help` lists them")
        parser().parse_args()  # --help, --version or an error
        return None

    command = COMMANDS[name]
    # The modules read sys.argv and show its first entry in their help, as the tools do.
    sys.argv = (
        ["fzmm", command.subcommand, *sys.argv[2:]]
        if command.subcommand
        else [f"fzmm {name}", *sys.argv[2:]]
    )

    return importlib.import_module(f"fzmm.commands.{command.module}").main()


def parser(parents: dict[str, argparse.ArgumentParser] | None = None) -> argparse.ArgumentParser:
    """Return the parser of the first argument.

    Args:
        parents: Parser of each command's own arguments, for completion; none otherwise, for making
            one imports the command.
    """
    top = argparse.ArgumentParser(
        prog="fzmm",
        description="Measure how many backbone stages to freeze, and if more data is worth it.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"fzmm {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        own = (parents or {}).get(name)
        commands.add_parser(name, help=command.help, add_help=False, parents=[own] if own else [])
    return top
