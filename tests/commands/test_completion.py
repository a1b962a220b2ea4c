"""A shell completes commands, options, their choices and paths."""

import shutil
import subprocess

import pytest

from fzmm.commands import completion
from fzmm.commands.main import COMMANDS

COMPLETE = """
complete_words() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _shtab_fzmm fzmm "${@: -1}" "${@: -2:1}"
    echo "${COMPREPLY[@]}"
}
complete_words fzmm new
complete_words fzmm sweep --until
complete_words fzmm sweep --executor r
complete_words fzmm train conf
complete_words fzmm report wo
"""


def script(shell, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["fzmm completion", shell])
    completion.main()
    return capsys.readouterr().out


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes(tmp_path, monkeypatch, capsys):
    (tmp_path / "config.py").touch()
    (tmp_path / "work_dirs").mkdir()
    program = script("bash", monkeypatch, capsys) + COMPLETE
    done = subprocess.run(["bash"], input=program, cwd=tmp_path, capture_output=True, text=True)
    expected = ["new-study", "--until-decided", "ray", "config.py", "work_dirs"]
    assert done.stdout.split() == expected, done.stderr


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_have_every_command(shell, monkeypatch, capsys):
    lines = script(shell, monkeypatch, capsys)
    assert all(name in lines for name in COMMANDS)


def test_paths_are_arguments_of_some_command():
    names = {
        action.dest
        for command in COMMANDS.values()
        for action in completion.parser_of(command)._actions
    }
    assert names >= completion.FILES | completion.FOLDERS
