"""What is shown without training: the table, the plan, its cost."""

import json
import re
import subprocess
import sys
import time

import pytest

from fzmm.commands.sweep import show_plan
from fzmm.errors import UserError
from fzmm.paths import ROOT
from fzmm.provenance import update_provenance
from fzmm.run_lock import RunLock
from fzmm.sweep.cost import hardware_here
from fzmm.sweep.executors.local import LocalExecutor, available_cores
from fzmm.sweep.options import SweepOptions
from fzmm.sweep.planned_run import plan_runs
from fzmm.sweep.run_dir.record import now, write_record
from fzmm.sweep.training.attempt import last_error
from fzmm.sweep.training.training_command import training_command, training_environment
from fzmm.utils.durations import duration


def test_the_table_tells_all_five_states_from_the_directories_alone(sweeps):
    names = ("waiting", "running", "done", "failed", "interrupted")
    configs = [sweeps.config(name) for name in names]
    sweeps.run(configs[2])
    lock = RunLock(sweeps.work_dir(configs[1]))
    assert lock.acquire(dict(where="node7 gpu 3"))
    for config, outcome, error in (
        (configs[1], None, None),
        (configs[3], "failed", "RuntimeError: [boom]"),
        (configs[4], None, None),
    ):
        work_dir = sweeps.work_dir(config)
        attempt = dict(started=now(), from_iteration=0, outcome=outcome, error=error, where="here")
        write_record(work_dir, dict(attempts=[attempt]))
        logs = work_dir / "20260101_000000/vis_data"
        logs.mkdir(parents=True)
        (logs / "config.py").write_text("train_cfg = dict(max_iters=1_000)\nmax_iters = 1000")
        rows = [dict(loss=1, iter=50, step=50), {"coco/bbox_mAP": 0.123, "step": 0}]
        text = "\n".join(map(json.dumps, rows))
        (logs / "scalars.json").write_text(text + '\n{"loss": 1, "it')  # cut off by a kill
    done = subprocess.run(
        [sys.executable, "tools/sweep.py", *configs, "--work-dir", sweeps.root, "--status"],
        cwd=ROOT,
        env=training_environment(),
        capture_output=True,
        text=True,
    )
    lock.release()
    assert done.returncode == 1 and done.stderr == ""  # 1: something has failed
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    for name in names:
        assert f" {name} " in rows[name]
    assert "50 / 1,000" in rows["running"] and "12.3" in rows["running"]
    assert "node7 gpu 3" in rows["running"]
    assert "RuntimeError: [boom]" in done.stdout
    assert "1 of 5 done, 1 waiting, 1 running, 1 failed, 1 interrupted" in done.stdout
    assert "torch" not in _modules_of("fzmm.commands.sweep")


def _modules_of(module):
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=training_environment()
    )
    return done.stdout.split()


def test_a_plan_costs_what_its_siblings_took(sweeps, capsys):
    a, b = sweeps.config("a"), sweeps.config("b")
    sweeps.run(a)
    record = json.loads((sweeps.work_dir(a) / "sweep.json").read_text())
    record["attempts"][0].update(
        started="2026-01-01T00:00:00+00:00", ended="2026-01-01T01:00:00+00:00"
    )
    write_record(sweeps.work_dir(a), record)
    assert show_plan(sweeps.options(str(a), str(b), seeds=[0, 1])) == 0
    printed = capsys.readouterr().out
    rows = {line.split()[0] + line.split()[1]: line for line in printed.splitlines()[1:-1]}
    assert "done" in rows["aseed0"]
    assert "1 h 00 min" in rows["bseed1"] and "the pace of a seed0" in rows["bseed1"]
    assert "3 of 4 runs to train: 3 h 00 min" in printed


def test_a_plan_takes_no_pace_from_another_device(sweeps, capsys):
    configs = [sweeps.config(f"{amount}_frozen2") for amount in ("fast", "slow", "new")]
    fast, slow, _ = configs
    sweeps.run(fast, slow)
    here = hardware_here(sweeps.options(), 1)
    for config, device, hours in ((fast, here, 1), (slow, "NVIDIA T4", 5)):
        work_dir = sweeps.work_dir(config)
        record = json.loads((work_dir / "sweep.json").read_text())
        ended = f"2026-01-01T0{hours}:00:00+00:00"
        record["attempts"][0].update(started="2026-01-01T00:00:00+00:00", ended=ended)
        write_record(work_dir, record)
        update_provenance(work_dir, sessions=[dict(devices=[device], world_size=1)])

    def planned(**options):
        assert show_plan(sweeps.options(*map(str, configs), **options)) == 0
        row = capsys.readouterr().out.partition("\nnew_")[2]
        return " ".join(re.split(r"\n(?! )", row)[0].split())  # its last cell may be folded

    assert planned().endswith(f" 1 h 00 min the pace of fast_frozen2 seed0 on {here}")
    # Of a cluster's devices one is meant by a pin; without it, nobody can tell.
    assert "- runs like it were trained on unlike devices" in planned(executor="ray")
    pins = {"slow": "t4", "new": "t4"}
    assert planned(executor="ray", pins=pins).endswith(
        " 5 h 00 min the pace of slow_frozen2 seed0 on NVIDIA T4"
    )


def test_each_gpu_trains_a_run(sweeps):
    runs = plan_runs([sweeps.config("a"), sweeps.config("b")], root=sweeps.root)
    workers = LocalExecutor(sweeps.options("a"), gpus=["4", "7"])
    for run in runs:
        assert workers.has_room()
        workers.start(run)
    assert not workers.has_room()
    ended = []
    deadline = time.monotonic() + 60
    while len(ended) < 2 and time.monotonic() < deadline:
        ended += workers.poll()
        time.sleep(0.05)
    assert [end.exit_code for _, end in ended] == [0, 0] and workers.has_room()
    assert [(run.work_dir / "gpus.txt").read_text() for run in runs] == ["4", "7"]
    with pytest.raises(UserError, match="--gpus-per-run 3: this machine shows 2"):
        LocalExecutor(sweeps.options("a", gpus_per_run=3), gpus=["4", "7"])


def test_runs_at_once_share_the_cores(sweeps, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    runs = plan_runs([sweeps.config("a"), sweeps.config("b")], root=sweeps.root)
    workers = LocalExecutor(sweeps.options("a", runs_at_once=2), gpus=[])
    for run in runs:
        assert workers.has_room()
        workers.start(run)
    assert not workers.has_room()
    ended = []
    deadline = time.monotonic() + 60
    while len(ended) < 2 and time.monotonic() < deadline:
        ended += workers.poll()
        time.sleep(0.05)
    assert [end.exit_code for _, end in ended] == [0, 0]
    share = str(max(1, available_cores() // 2))
    assert [(run.work_dir / "threads.txt").read_text() for run in runs] == [share, share]
    with pytest.raises(UserError, match="--runs-at-once 0: 1 or more"):
        SweepOptions(["a"], runs_at_once=0)
    with pytest.raises(UserError, match="--runs-at-once 2: this machine has GPUs"):
        LocalExecutor(sweeps.options("a", runs_at_once=2), gpus=["4", "7"])


def test_several_gpus_go_through_torchrun(sweeps):
    run = plan_runs([sweeps.config("a")], seeds=[3], root="work_dirs")[0]
    command = training_command(run, 4, ["--fast"])
    assert command[1:3] == ["-m", "fzmm.engine.runner.torchrun"]
    assert command[command.index("--nproc_per_node") + 1] == "4"
    train = command.index("fzmm.commands.train")
    assert command[train + 1 :] == [
        *(str(run.config), "--work-dir", "work_dirs/a/seed3", "--seed", "3", "--resume"),
        *("--launcher", "pytorch", "--fast"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Traceback\n  File x\nerror: a.json: no such file\n", "a.json: no such file"),
        ("ValueError: bad\nsome later line\n", "ValueError: bad"),
        ("torch.OutOfMemoryError: CUDA out of memory\n", "torch.OutOfMemoryError: CUDA out"),
        ("only this\n\n", "only this"),
        ("", None),
    ],
)
def test_the_line_that_says_why(text, expected, tmp_path):
    (tmp_path / "out.txt").write_text(text)
    line = last_error(tmp_path / "out.txt")
    assert line == expected or line.startswith(expected)


def test_durations():
    assert [duration(x) for x in (None, 45, 720, 7500, 300_000)] == [
        *("-", "45 s", "12 min", "2 h 05 min", "3 d 11 h")
    ]
