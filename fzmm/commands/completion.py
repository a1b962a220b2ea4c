"""``fzmm completion``: what a shell needs to complete ``fzmm``."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterable

# Arguments, by their names in the parsers, for which a shell is to offer files or folders.
FILES = {
    *("config", "configs", "checkpoint", "ann_file", "train_ann", "val_ann", "base"),
    *("pretrained", "resume", "json_logs", "out"),
}
FOLDERS = {
    *("work_dir", "work_dirs", "folder", "data", "train_images", "val_images"),
    *("configs_dir", "data_dir", "out_dir", "show_dir"),
}
EXAMPLES = """examples:
  eval "$(fzmm completion bash)"    # in this shell only
  fzmm completion bash > ~/.fzmm-completion && echo ". ~/.fzmm-completion" >> ~/.bashrc
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    import shtab

    own = argparse.ArgumentParser(
        description="Print a script that makes a shell complete the commands and options of fzmm.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    own.add_argument("shell", choices=shtab.SUPPORTED_SHELLS, help="The shell to complete in.")
    return own


def main() -> None:
    """Print the script."""
    import shtab

    from fzmm.commands import main as fzmm

    shell = parser().parse_args().shell
    parents = {name: parser_of(command) for name, command in fzmm.COMMANDS.items()}
    for own in parents.values():
        _offer_paths(own._actions)
    print(shtab.complete(fzmm.parser(parents), shell=shell))


def parser_of(command) -> argparse.ArgumentParser:
    """Return the parser of a command of ``fzmm.commands.main.COMMANDS``."""
    own = importlib.import_module(f"fzmm.commands.{command.module}").parser()
    if not command.subcommand:
        return own
    choices = next(action.choices for action in own._actions if action.dest == "command")
    return choices[command.subcommand]


def _offer_paths(arguments: Iterable[argparse.Action]) -> None:
    import shtab

    for argument in arguments:
        if argument.dest in FILES | FOLDERS:
            argument.complete = shtab.FILE if argument.dest in FILES else shtab.DIRECTORY
