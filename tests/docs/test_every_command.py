"""Every command that a document, a docstring or a help text shows can be called so."""

import pytest

from tests.docs.checks import check
from tests.docs.commands import all_commands

COMMANDS = all_commands()


def test_there_are_commands():
    assert len(COMMANDS) > 100


@pytest.mark.parametrize("shown", COMMANDS, ids=[command.place for command in COMMANDS])
def test_a_command_that_is_shown(shown, folder):
    assert check(shown.words), f"{shown.place}: {shown.text}: neither run, parsed nor left out"
