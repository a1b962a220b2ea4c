"""A sweep on a real Ray cluster: placing, a lost node, a stop, the end of the head."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from fzmm.errors import UserError
from fzmm.exit_codes import PREEMPTED_EXIT_CODE
from fzmm.paths import ROOT
from fzmm.run_lock import lock_holder
from fzmm.sweep.executors.base import build_executor
from fzmm.sweep.options import SweepOptions
from fzmm.sweep.planned_run import plan_runs
from fzmm.sweep.run_dir.record import read_record
from fzmm.sweep.run_dir.run_progress import read_progress
from fzmm.sweep.run_dir.state import State, read_status
from fzmm.sweep.training.training_command import training_environment
from fzmm.toy.dataset import write_toy

pytestmark = pytest.mark.ray


@pytest.fixture
def start(cluster, sweeps):
    """Starts a sweep on the cluster in a process of its own."""
    started = []

    def start_sweep(*configs, pins=None, **options):
        code = (
            "import sys; from fzmm.sweep.sweep import SweepOptions, run_sweep\n"
            f"run_sweep(SweepOptions(sys.argv[1:], root={str(sweeps.root)!r}, executor='ray', "
            f"command={sweeps.command!r}, grace=10, pins={pins or {}!r}, "
            f"executor_options={dict(options, address=cluster.address)!r}))"
        )
        sweep = subprocess.Popen(
            [*cluster.inside, sys.executable, "-c", code, *map(str, configs)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=training_environment(),
        )
        started.append(sweep)
        return sweep

    yield start_sweep
    for sweep in started:
        sweep.kill()
        sweep.wait()


def statuses(sweeps, configs):
    return [read_status(run) for run in plan_runs(configs, root=sweeps.root)]


def wait_until_unlocked(sweeps, config, seconds=30):
    deadline = time.monotonic() + seconds
    while lock_holder(sweeps.work_dir(config)) is not None:
        assert time.monotonic() < deadline, "its training goes on"
        time.sleep(0.1)


def test_six_runs_share_two_nodes_and_one_node_is_lost(cluster, sweeps, start):
    configs = [sweeps.config(name, seconds=0.2) for name in "abcdef"]
    sweep = start(*configs)
    for config in configs[:2]:  # a core each: these two train at once
        sweeps.wait_for(config, 7, seconds=90)
    cluster.kill(cluster.worker)
    printed, _ = sweep.communicate(timeout=240)
    assert sweep.returncode == 0 and "6 of 6 done" in printed, printed
    assert "interrupted: its node was lost" in printed
    assert {status.state for status in statuses(sweeps, configs)} == {State.DONE}
    assert all(status.where.startswith("ray ") for status in statuses(sweeps, configs))
    attempts = sorted(status.attempts for status in statuses(sweeps, configs))
    assert attempts == [1, 1, 1, 1, 1, 2]
    for config in configs:  # the lost one goes on from where it saved
        assert sorted(set(sweeps.iterations(config))) == list(range(1, 21))
        assert sweeps.iterations(config).count(5) == 1


def test_ctrl_c_saves_and_after_the_end_of_the_head_a_new_call_continues(cluster, sweeps, start):
    configs = [sweeps.config(name, seconds=0.2) for name in "abc"]
    sweep = start(*configs)
    for config in configs[:2]:
        sweeps.wait_for(config, 6, seconds=90)
    sweep.send_signal(signal.SIGINT)
    printed, _ = sweep.communicate(timeout=60)
    assert "stopping" in printed and "2 interrupted" in printed, printed
    iterations = sweeps.iterations(configs[0])
    assert iterations == list(range(1, len(iterations) + 1)) and len(iterations) < 20

    sweep = start(*configs)
    sweeps.wait_for(configs[0], len(iterations) + 2, seconds=90)
    for node in cluster.nodes:
        cluster.kill(node)
    sweep.kill()
    for config in configs[:2]:
        wait_until_unlocked(sweeps, config)
    cluster.start_head()
    cluster.wait_for_nodes(1)
    printed, _ = start(*configs).communicate(timeout=240)
    assert "3 of 3 done" in printed, printed
    for config in configs:  # told by the kernel, a training saves: nothing is trained twice
        assert sweeps.iterations(config) == list(range(1, 21))


def test_a_node_without_the_folder_is_told_before_anything_trains(cluster, sweeps, start):
    if os.geteuid() or shutil.which("unshare") is None:
        pytest.skip("a mount of its own for a node needs root")
    sweeps.root.mkdir()
    cluster.kill(cluster.worker)
    cluster.start_worker(
        inside=[
            "unshare",
            "--mount",
            "sh",
            "-c",
            f'mount -t tmpfs none {sweeps.root} && exec "$@"',
            "sh",
        ]
    )
    cluster.wait_for_nodes(2)
    config = sweeps.config("a")
    sweep = start(config)
    printed, _ = sweep.communicate(timeout=90)
    assert sweep.returncode and "is not the same folder on" in printed, printed
    assert sweeps.iterations(config) == []


def start_far_worker(cluster, sweeps):
    """A node that has a folder of its own where the others have the run directories."""
    return cluster.start_worker(
        '--resources={"far": 1}',
        inside=[
            *("unshare", "--mount", "--uts", "sh", "-c"),
            *(f'hostname farnode; mount -t tmpfs none {sweeps.root} && exec "$@"', "sh"),
        ],
    )


def test_runs_on_a_node_that_shares_nothing_are_copied_back(cluster, sweeps, start):
    if os.geteuid() or shutil.which("unshare") is None:
        pytest.skip("a mount of its own for a node needs root")
    sweeps.root.mkdir()
    cluster.kill(cluster.worker)
    far = start_far_worker(cluster, sweeps)
    cluster.wait_for_nodes(2)
    config, near = sweeps.config("far_frozen0", seconds=1.0), sweeps.config("near_frozen0")
    sweep = start(config, near, pins={"far": "far"}, collect=True)
    sweeps.wait_for(config, 6, seconds=90)  # here, while it trains there
    assert lock_holder(sweeps.work_dir(config))["where"] == "ray farnode"
    cluster.kill(far)
    start_far_worker(cluster, sweeps)  # has nothing of the run but what was copied back
    printed, _ = sweep.communicate(timeout=240)
    assert "2 of 2 done" in printed and "interrupted: its node was lost" in printed, printed

    folder = sweeps.work_dir(config)
    _, second = read_record(folder)["attempts"]
    assert second["outcome"] == State.DONE and second["where"] == "ray farnode"
    assert set(sweeps.iterations(config)) == set(range(1, 21))
    starts = len(list(folder.glob("*/vis_data/scalars.json")))
    assert starts == 2 and sweeps.iterations(config).count(1) == 1  # it went on, not anew
    assert [path.name for path in folder.glob("*.pth")] == ["iter_20.pth"]
    assert lock_holder(folder) is None


def test_a_data_amount_is_pinned_to_one_kind_of_device(cluster, sweeps, start):
    if os.geteuid() or shutil.which("unshare") is None:
        pytest.skip("a host name of its own for a node needs root")
    cluster.kill(cluster.worker)
    cluster.start_worker(
        '--resources={"fast": 1}',
        inside=["unshare", "--uts", "sh", "-c", 'hostname fastnode && exec "$@"', "sh"],
    )
    cluster.wait_for_nodes(2)
    small = [sweeps.config(f"small_frozen{k}", seconds=0.01) for k in (0, 1, 2)]
    large = sweeps.config("large_frozen0", seconds=0.5)
    printed, _ = start(*small, large, pins={"small": "fast"}).communicate(timeout=120)
    assert "4 of 4 done" in printed, printed
    places = {status.run.config.stem: status.where for status in statuses(sweeps, small)}
    assert set(places.values()) == {"ray fastnode"}, places

    printed, _ = start(sweeps.config("small_frozen3"), pins={"small": "a100"}).communicate(
        timeout=60
    )
    assert "--pin: no node has a100" in printed and "fast" in printed, printed


def test_an_address_where_no_head_listens_is_told_at_once():
    pytest.importorskip("ray")
    options = SweepOptions(["a.py"], executor="ray", executor_options={"address": "127.0.0.1:1"})
    with pytest.raises(UserError, match="127.0.0.1:1: .*refused.*ray start --head"):
        build_executor(options)


def sweep_over_two_nodes(cluster, tmp_path):
    """Start the command line's sweep of one tiny real training over both nodes."""
    data, options = tmp_path / "toy", ("--executor", "ray", "--nodes", "2", "--gpus-per-run", "2")
    return subprocess.Popen(
        [
            *(*cluster.inside, sys.executable, "tools/sweep.py", "configs/toy/toy100_frozen2.py"),
            *("--work-dir", str(tmp_path / "work_dirs"), "--ray-address", cluster.address),
            *(*options, "--grace", "60", "--", "--cfg-options"),
            *("train_cfg.max_iters=20", "train_cfg.val_interval=20"),
            *("default_hooks.checkpoint.interval=2", "default_hooks.logger.interval=1"),
            *("train_dataloader.batch_size=1", "model.backbone.init_cfg=None"),
            f"train_dataloader.dataset.data_root={data}/",
            f"val_dataloader.dataset.data_root={data}/",
            f"val_evaluator.ann_file={data}/annotations/instances_val.json",
        ],
        cwd=ROOT,
        env=training_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for_iteration(sweep, work_dir, iteration, seconds=400):
    deadline = time.monotonic() + seconds
    while (read_progress(work_dir).checkpoint or 0) < iteration:
        said = "".join(path.read_text()[-2000:] for path in work_dir.glob("*.txt"))
        assert time.monotonic() < deadline, f"iteration {iteration} never came: {said}"
        assert sweep.poll() is None, sweep.communicate()[0] + said
        time.sleep(0.1)


def test_a_run_over_two_nodes_goes_on_after_the_loss_of_one_and_a_stop(cluster, tmp_path):
    write_toy(tmp_path / "toy", train=8, val=2)
    work_dir = tmp_path / "work_dirs/toy100_frozen2/seed0"
    sweep = sweep_over_two_nodes(cluster, tmp_path)
    wait_for_iteration(sweep, work_dir, 2)
    host = socket.gethostname()
    assert lock_holder(work_dir)["where"] == f"ray {host} + {host}"
    cluster.kill(cluster.worker)
    cluster.worker = cluster.start_worker()
    while len(read_record(work_dir)["attempts"]) < 2:
        assert sweep.poll() is None, sweep.communicate()[0]
        time.sleep(0.1)
    reached = read_progress(work_dir).checkpoint
    wait_for_iteration(sweep, work_dir, reached + 2)
    sweep.send_signal(signal.SIGINT)
    printed, _ = sweep.communicate(timeout=90)
    assert "interrupted: one of its nodes was lost" in printed, printed
    assert "1 interrupted" in printed, printed

    printed, _ = sweep_over_two_nodes(cluster, tmp_path).communicate(timeout=400)
    assert "1 of 1 done" in printed, printed
    record = json.loads((work_dir / "provenance.json").read_text())
    assert [session["world_size"] for session in record["sessions"]] == [2, 2, 2]
    lost, stopped, done = read_record(work_dir)["attempts"]
    assert lost["outcome"] == stopped["outcome"] == State.INTERRUPTED
    assert (stopped["exit_code"], done["outcome"]) == (PREEMPTED_EXIT_CODE, State.DONE)
    third = record["sessions"][2]["from_iteration"]
    assert third >= stopped["iteration"] >= reached  # saved when it was stopped
