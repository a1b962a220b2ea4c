"""``--until-decided`` with several learning rates: each scenario's best, then repeats at it."""

import json
import subprocess
import sys
import time

import pytest

from fzmm.commands.sweep import main
from fzmm.errors import UserError
from fzmm.paths import ROOT
from fzmm.sweep.rate_search import RateSearch
from fzmm.sweep.run_dir.state import State
from fzmm.sweep.training.training_command import training_environment
from fzmm.sweep.until_decided import runs_so_far, sweep_until_decided

# unfrozen is best at 0.01; frozen2 at the largest tried
MEANS = {
    (-1, 0.005): 0.38,
    (-1, 0.01): 0.41,
    (-1, 0.02): 0.39,
    (2, 0.005): 0.30,
    (2, 0.01): 0.34,
    (2, 0.02): 0.36,
}
TWO_RATES = {key: mean for key, mean in MEANS.items() if key[1] > 0.005}


def decide(sweeps, configs, rate_budget=0.25, **options):
    options = sweeps.options(*configs.values(), runs_at_once=3, **options)
    return sweep_until_decided(options, 0.004, sweeps.display(), rate_budget)


def whole_runs(sweeps):
    """Seeds of the whole runs by config."""
    folders = sorted(sweeps.root.glob("*/seed*"))
    return [f"{folder.parent.name.partition('_')[2]} {folder.name}" for folder in folders]


def made(sweeps):
    return {
        str(path.relative_to(sweeps.root)): path.read_text()
        for path in sweeps.root.rglob("iterations.txt")
    }


def test_each_scenario_is_repeated_at_its_best_rate(sweeps):
    configs = sweeps.rated_study(MEANS)
    statuses = decide(sweeps, configs)
    assert {status.state for status in statuses} == {State.DONE}
    assert whole_runs(sweeps) == [
        f"{name} seed{seed}"
        for name in ("frozen2_rate002", "unfrozen_rate001")
        for seed in range(2)
    ]
    looked = sweeps.root / "cells100_unfrozen_rate0005/rate-search/seed0"
    assert (looked / "iterations.txt").read_text().split() == ["1", "2", "3", "4", "5"]
    record = json.loads((looked / "sweep.json").read_text())
    assert record["reason"] == "1 of 3 rates"
    record = json.loads((sweeps.work_dir(configs[-1, 0.01]) / "sweep.json").read_text())
    assert record["reason"] == "rate 0.01 41.0 (0.02 39.0, 0.005 38.0)"
    assert "frozen2: rate 0.02 36.0 (0.01 34.0, 0.005 30.0); its best rate is the largest tried: "
    assert "its best rate is the largest tried: try 0.04" in sweeps.printed
    assert "cells100_frozen2_rate002 rate-search seed0" in sweeps.printed

    before = made(sweeps)
    assert len(decide(sweeps, configs)) == 4 and made(sweeps) == before


def test_a_rate_added_later_is_looked_at_alone(sweeps):
    configs = sweeps.rated_study(TWO_RATES)
    decide(sweeps, configs)
    before = made(sweeps)
    more = sweeps.rated_study({(2, 0.04): 0.37, (-1, 0.04): 0.35})
    statuses = decide(sweeps, {**configs, **more})
    assert {status.state for status in statuses} == {State.DONE}
    assert sorted(made(sweeps).keys() - before.keys()) == [
        "cells100_frozen2_rate004/rate-search/seed0/iterations.txt",
        "cells100_frozen2_rate004/seed0/iterations.txt",
        "cells100_frozen2_rate004/seed1/iterations.txt",
        "cells100_unfrozen_rate004/rate-search/seed0/iterations.txt",
    ]


def test_a_rate_that_diverges_is_out_and_not_trained_again(sweeps):
    at = {(-1, 0.01): dict(diverges_at=3), (2, 0.02): dict(diverges_at=10)}
    configs = sweeps.rated_study(MEANS, at=at)
    statuses = decide(sweeps, configs)  # the second of them diverges in its whole run only
    assert {status.state for status in statuses} == {State.DONE}
    assert whole_runs(sweeps) == [
        *("frozen2_rate001 seed0", "frozen2_rate001 seed1", "frozen2_rate002 seed0"),
        *("unfrozen_rate002 seed0", "unfrozen_rate002 seed1"),
    ]
    assert "unfrozen: rate 0.02 39.0 (0.005 38.0, 0.01 diverged)" in sweeps.printed
    assert "frozen2: rate 0.01 34.0 (0.005 30.0, 0.02 diverged)" in sweeps.printed
    before = made(sweeps)
    decide(sweeps, configs)
    assert made(sweeps) == before


def test_a_scenario_that_diverges_at_every_rate_is_told(sweeps):
    at = {(2, rate): dict(diverges_at=2) for rate in (0.005, 0.01, 0.02)}
    means = {**MEANS, (4, 0.005): 0.2, (4, 0.01): 0.3}
    statuses = decide(sweeps, sweeps.rated_study(means, at=at))
    assert [status.state for status in statuses].count(State.FAILED) == 3
    assert "every rate diverged: try one below 0.005" in sweeps.printed
    assert len([one for one in statuses if one.state is State.DONE]) == 4


def test_subsets_of_one_size_keep_the_rate_of_the_first(sweeps):
    configs = {}
    for number in (1, 2):
        study = sweeps.rated_study(MEANS, f"cells25-{number}", 0.25)
        configs |= {(number, *key): config for key, config in study.items()}
    search = RateSearch(sweeps.options(*configs.values()))
    assert {run.config.stem.partition("_")[0] for run in search.runs} == {"cells25-1"}
    decide(sweeps, configs)
    assert {run.partition(" ")[0] for run in whole_runs(sweeps)} == {
        *("frozen2_rate002", "unfrozen_rate001")
    }
    assert len(whole_runs(sweeps)) == 8


def test_whole_runs_can_look_for_the_rate_and_count(sweeps):
    configs = sweeps.rated_study(MEANS)
    statuses = decide(sweeps, configs, rate_budget=1)
    assert {status.state for status in statuses} == {State.DONE}
    assert not list(sweeps.root.glob("*/rate-search"))
    assert len(list(sweeps.root.glob("*/seed0"))) == 6
    # the seed that chose is not compared, so that two more are wanted
    assert [run for run in whole_runs(sweeps) if "seed0" not in run] == [
        f"{name} seed{seed}" for name in ("frozen2_rate002", "unfrozen_rate001") for seed in (1, 2)
    ]


def test_a_stopped_search_is_continued(sweeps):
    means = {key: mean for key, mean in TWO_RATES.items() if key[0] == 2}
    configs = sweeps.rated_study(means, at={(2, 0.02): dict(seconds=0.2)})
    sweep = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import sys; from fzmm.sweep.until_decided import SweepOptions, sweep_until_decided\n"
            f"sweep_until_decided(SweepOptions(sys.argv[1:], root={str(sweeps.root)!r}, "
            f"command={sweeps.command!r}))",
            *map(str, configs.values()),
        ],
        env=training_environment(),
    )
    slow = sweeps.root / "cells100_frozen2_rate002/rate-search/seed0/iterations.txt"
    while not slow.exists():
        assert sweep.poll() is None
        time.sleep(0.05)
    sweep.terminate()
    sweep.wait(timeout=60)
    options = sweeps.options(*configs.values())
    search = RateSearch(options)
    assert not search.finished and runs_so_far(options, search) == []
    decide(sweeps, configs)
    assert slow.read_text().split() == ["1", "2", "3", "4", "5"]
    assert whole_runs(sweeps) == ["frozen2_rate002 seed0"]


def test_the_command_shows_what_it_chose(sweeps, capsys):
    configs = sweeps.rated_study(TWO_RATES, at={(-1, 0.02): dict(diverges_at=3)})
    decide(sweeps, configs)
    words = [*map(str, configs.values()), "--work-dir", str(sweeps.root), "--until-decided"]
    done = subprocess.run(
        [sys.executable, "tools/sweep.py", *words],
        cwd=ROOT,
        env=training_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "unfrozen 0.01" in done.stdout and "At one common learning rate" in done.stdout
    assert main([*words, "--status"]) == 0
    shown = capsys.readouterr().out
    assert "1 of 2 rates" in shown and "rate 0.01" in shown and "7 of 8 done, 1 failed" in shown


def test_a_share_that_is_none_is_refused(sweeps):
    configs = sweeps.rated_study(MEANS)
    with pytest.raises(UserError, match="--rate-budget 1.5: a share above 0 and at most 1"):
        decide(sweeps, configs, rate_budget=1.5)


def test_options_of_the_trainings_are_kept(sweeps):
    configs = sweeps.rated_study(MEANS)
    arguments = ["--amp", "--cfg-options", "a=1", "b=2", "--fast"]
    search = RateSearch(sweeps.options(*configs.values(), arguments=arguments, budget=0.5))
    assert search.run_options.training_arguments == [
        *("--budget", "0.125", "--amp"),
        *("--cfg-options", "study.rate_search=0.25", "a=1", "b=2", "--fast"),
    ]
