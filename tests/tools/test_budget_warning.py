"""A schedule cut short favours freezing, and every command that cuts one says so, once."""

import sys
from pathlib import Path

import pytest

from fzmm.commands import demo, sweep, train
from fzmm.errors import UserError

CONFIG = "fzmm::toy/toy100_frozen2.py"


def train_without_data(*options):
    with pytest.raises(UserError, match="toy"):  # the images are missing
        train.main([CONFIG, *options])


def sweep_plan(*options):
    assert sweep.main([CONFIG, "--dry-run", *options]) == 0


def demo_without_room(*options):
    data = Path("data")
    data.mkdir(exist_ok=True)
    (data / "toy").write_text("a file where the demo's images should go")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(UserError, match="toy"):
        patch.setattr(sys, "argv", ["demo", *options])
        demo.main()


@pytest.mark.parametrize("command", [train_without_data, sweep_plan, demo_without_room])
def test_a_schedule_cut_short_is_warned_of(command, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    command("--budget", "0.5")
    assert capfd.readouterr().err.count("--budget 0.5 cuts the schedule short") == 1
    command()
    assert "cuts the schedule short" not in capfd.readouterr().err
