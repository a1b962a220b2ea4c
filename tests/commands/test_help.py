"""``--help`` of every command is written for somebody who reads nothing else."""

import argparse
import re

import pytest

from fzmm.commands.completion import parser_of
from fzmm.commands.main import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_everything_is_explained_in_whole_sentences(name):
    parser = parser_of(COMMANDS[name])
    assert parser.description.endswith(".")
    assert re.match(r"examples?:\s+.*fzmm ", parser.epilog)
    for action in parser._actions:
        if not isinstance(action, argparse._HelpAction):
            assert re.match(r"[A-Z].*\.$", action.help or "", re.S), action.dest
    assert parser.format_help()  # formats every default
