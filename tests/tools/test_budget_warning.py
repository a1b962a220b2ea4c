"""A schedule cut short favours freezing, and every command that cuts one says so, once."""

import pytest

from fzmm.commands import sweep, train
from fzmm.errors import UserError

CONFIG = "fzmm::toy/toy100_frozen2.py"


def train_without_data(*options):
    with pytest.raises(UserError, match="toy"):  # the images are missing
        train.main([CONFIG, *options])


def sweep_plan(*options):
    assert sweep.main([CONFIG, "--dry-run", *options]) == 0


@pytest.mark.parametrize("command", [train_without_data, sweep_plan])
def test_a_schedule_cut_short_is_warned_of(command, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    command("--budget", "0.5")
    assert capfd.readouterr().err.count("--budget 0.5 cuts the schedule short") == 1
    command()
    assert "cuts the schedule short" not in capfd.readouterr().err
