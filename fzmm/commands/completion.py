"""``fzmm completion``: what a shell needs to complete ``fzmm``."""

from __future__ import annotations

import argparse
import importlib


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    import shtab

    own = argparse.ArgumentParser(
        description="Print a script that makes a shell complete the commands and options of fzmm.",
        epilog="example: echo 'eval \"$(fzmm completion bash)\"' >> ~/.bashrc",
    )
    own.add_argument("shell", choices=shtab.SUPPORTED_SHELLS, help="The shell to complete in.")
    return own


def main() -> None:
    """Print the script."""
    import shtab

    from fzmm.commands import main as fzmm

    shell = parser().parse_args().shell
    parents = {name: _parser_of(command) for name, command in fzmm.COMMANDS.items()}
    print(shtab.complete(fzmm.parser(parents), shell=shell))


def _parser_of(command) -> argparse.ArgumentParser:
    own = importlib.import_module(f"fzmm.commands.{command.module}").parser()
    if not command.subcommand:
        return own
    choices = next(action.choices for action in own._actions if action.dest == "command")
    return choices[command.subcommand]
