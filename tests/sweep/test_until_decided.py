"""``--until-decided``: seeds are added where they decide, and only there."""

import json
import signal
import subprocess
import sys

from fzmm.paths import ROOT
from fzmm.sweep.run_dir.state import State
from fzmm.sweep.training.training_command import training_environment
from fzmm.sweep.until_decided import runs_so_far, sweep_until_decided


def seeds_of(sweeps, config):
    return sorted(path.name for path in (sweeps.root / config.stem).glob("seed*"))


def decide(sweeps, configs, **options):
    options = sweeps.options(*configs, runs_at_once=3, **options)
    return sweep_until_decided(options, 0.004, sweeps.display())


def test_clear_scenarios_need_two_seeds_and_no_more(sweeps):
    configs = sweeps.study({4: 0.30, 2: 0.40, -1: 0.41})
    statuses = decide(sweeps, configs)
    assert {status.state for status in statuses} == {State.DONE} and len(statuses) == 6
    assert all(seeds_of(sweeps, config) == ["seed0", "seed1"] for config in configs)
    record = json.loads((sweeps.work_dir(configs[0], 1) / "sweep.json").read_text())
    assert record["reason"] == "second seed"
    assert "next: cells100_frozen4 seed1: second seed" in sweeps.printed
    assert " why " in sweeps.printed and "nothing more to run: 6 of 6 done" in sweeps.printed


def test_only_close_scenarios_get_more_seeds_and_never_more_than_eight(sweeps):
    close, best, bad = sweeps.study({2: 0.400, -1: 0.403, 4: 0.20}, spread=1.0)
    statuses = decide(sweeps, [close, best, bad])
    assert {status.state for status in statuses} == {State.DONE}
    assert seeds_of(sweeps, bad) == ["seed0", "seed1"]
    assert 2 < max(len(seeds_of(sweeps, config)) for config in (close, best)) <= 8
    reasons = " ".join(status.run.reason for status in statuses if status.run.seed > 1)
    assert "recommended, " in reasons or "the best with " in reasons


def test_a_stopped_round_is_continued(sweeps):
    configs = sweeps.study({4: 0.30, -1: 0.41}, seconds=0.1)
    code = (
        "import sys; from fzmm.sweep.until_decided import SweepOptions, sweep_until_decided\n"
        f"sweep_until_decided(SweepOptions(sys.argv[1:], root={str(sweeps.root)!r}, "
        f"command={sweeps.command!r}))"
    )
    sweep = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, configs)],
        env=training_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    sweeps.wait_for(configs[0], 3, seed=1)
    sweep.send_signal(signal.SIGINT)
    sweep.communicate(timeout=60)
    so_far = runs_so_far(sweeps.options(*configs))
    assert [run.name for run in so_far if run.seed][:1] == ["cells100_frozen4 seed1"]
    statuses = decide(sweeps, configs)
    assert len(statuses) == 4 and {status.state for status in statuses} == {State.DONE}
    assert sweeps.iterations(configs[0], 1) == list(range(1, 21))


def test_a_failed_run_ends_the_rounds(sweeps):
    good, bad = sweeps.study({4: 0.30, -1: 0.41})
    bad.write_text(bad.read_text() + "fails_at = 3\n")
    statuses = decide(sweeps, [good, bad], retries=0)
    assert [status.state for status in statuses] == [State.DONE, State.FAILED]


def test_the_command_ends_with_the_recommendation_and_shows_the_seeds_it_added(sweeps):
    configs = sweeps.study({4: 0.30, -1: 0.41})
    decide(sweeps, configs)
    command = [*(sys.executable, "tools/sweep.py", *configs), "--work-dir", sweeps.root]
    done = subprocess.run(
        [*command, "--until-decided"],
        cwd=ROOT,
        env=training_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "4 of 4 runs are finished" in done.stdout and "cells100" in done.stdout
    shown = subprocess.run(
        [*command, "--until-decided", "--status"],
        cwd=ROOT,
        env=training_environment(),
        capture_output=True,
        text=True,
    )
    assert "cells100_frozen4 seed1" in shown.stdout and "second seed" in shown.stdout
