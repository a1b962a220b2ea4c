"""Options that cannot be are refused with their name before anything is planned."""

import math

import pytest

from fzmm.commands.sweep import main, parse, sweep_options
from fzmm.errors import UserError


def options(*arguments):
    return sweep_options(*parse(["a.py", *arguments]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "nan"], "--budget nan"),
        (["--budget", "inf"], "--budget inf"),
        (["--budget", "-0.1"], "--budget -0.1"),
        (["--grace", "nan"], "--grace nan: seconds"),
        (["--grace", "inf"], "--grace inf: seconds"),
        (["--grace", "-1"], "--grace -1: seconds"),
        (["--retries", "-1"], "--retries -1"),
        (["--runs-at-once", "-1"], "--runs-at-once -1"),
        (["--gpus-per-run", "0"], "--gpus-per-run 0"),
        (["--executor", "ray", "--ray-cpus-per-run", "0"], "--ray-cpus-per-run 0: 1 or more"),
        (["--executor", "ray", "--ray-cpus-per-run", "-4"], "--ray-cpus-per-run -4: 1 or more"),
        (["--executor", "slurm", "--slurm-time", "0"], "--slurm-time 0: 1 or more"),
        (["--executor", "slurm", "--slurm-array-parallelism", "-1"], "--slurm-array-parallelism"),
    ],
)
def test_numbers(arguments, message):
    with pytest.raises(UserError, match=message):
        options(*arguments)


@pytest.mark.parametrize("margin", [math.nan, math.inf, -math.inf, 0, -1, 100])
def test_margins(margin):
    with pytest.raises(UserError, match="--margin-pp"):
        main(["a.py", "--until-decided", f"--margin-pp={margin}"])


@pytest.mark.parametrize("seed", ["-1", "4294967296", "9" * 30])
def test_seeds(seed, sweeps):
    config = sweeps.config("a")
    with pytest.raises(UserError, match="--seeds is .*; give a whole number from 0"):
        sweep_options(*parse([str(config), f"--seeds={seed}"])).plan()
