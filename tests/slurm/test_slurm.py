"""A sweep on a real Slurm: arrays, preemption, time limits, several tasks a run."""

import json
import subprocess
import sys
import time

import pytest

from fzmm.paths import ROOT
from fzmm.sweep.planned_run import plan_runs
from fzmm.sweep.run_dir.record import queued_job
from fzmm.sweep.run_dir.state import State, read_status
from fzmm.sweep.training.training_command import training_environment
from fzmm.sweep.until_decided import sweep_until_decided
from fzmm.toy.dataset import write_toy
from tests.sweep.conftest import Sweeps

pytestmark = pytest.mark.slurm

OPTIONS = dict(cpu=True, cpus_per_task=1, time=60)


@pytest.fixture
def sweeps(slurm, tmp_path):
    return Sweeps(tmp_path)


def start_jobs(sweeps, *configs, **options):
    """Submit and return, as ``--no-wait`` does."""
    return sweeps.run(
        *configs, executor="slurm", executor_options={**OPTIONS, **options}, wait=False
    )


def start_now(job):
    """A requeued job waits two minutes for its node to be cleaned up; not here."""
    deadline = time.monotonic() + 60
    while True:
        state = subprocess.run(
            ["squeue", "-h", "-j", job, "-o", "%T"], capture_output=True, text=True
        ).stdout.strip()
        if state == "PENDING":
            break
        assert time.monotonic() < deadline, f"job {job} is {state or 'gone'}, not requeued"
        time.sleep(0.5)
    subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], check=True)


def test_a_preempted_job_resumes_and_every_run_is_trained_once(sweeps):
    configs = [sweeps.config(name, seconds=0.1) for name in ("calm", "preempted", "warned")]
    sweeps.config("preempted", seconds=0.4)
    sweeps.config("warned", seconds=0.4)
    _, preempted, warned = configs
    start_jobs(sweeps, *configs)
    assert len({queued_job(sweeps.work_dir(config)).split("_")[0] for config in configs}) == 1

    sweeps.wait_for(preempted, 7)
    job = queued_job(sweeps.work_dir(preempted))
    subprocess.run(["scontrol", "requeue", job], check=True)
    start_now(job)
    sweeps.wait_for(warned, 6)
    job = queued_job(sweeps.work_dir(warned))
    subprocess.run(["scancel", "--signal=USR2", job], check=True)  # as before a time limit
    start_now(job)

    # Called again it adopts the jobs that are there, and waits for them.
    statuses = sweeps.run(*configs, executor="slurm", executor_options=OPTIONS)
    assert {status.state for status in statuses.values()} == {State.DONE}
    assert "3 of 3 done" in sweeps.printed
    for config, attempts in zip(configs, (1, 2, 2), strict=True):
        assert sweeps.iterations(config) == list(range(1, 21))  # saved at the signal: none twice
        status = read_status(plan_runs([config], root=sweeps.root)[0])
        assert (status.attempts, status.state) == (attempts, State.DONE)
        assert status.where.startswith("slurm ")


def test_a_data_amount_is_pinned_to_nodes_with_a_feature(sweeps):
    small = [sweeps.config(f"small_frozen{k}", seconds=0.5) for k in (0, 1)]
    large = sweeps.config("large_frozen0", seconds=0.5)
    options = dict(executor="slurm", executor_options=OPTIONS)
    sweeps.run(*small, large, **options, wait=False, pins={"small": "fast"})
    jobs = [queued_job(sweeps.work_dir(config)) for config in (*small, large)]
    arrays = [job.split("_")[0] for job in jobs]
    assert arrays[0] == arrays[1] != arrays[2]
    asked = ["squeue", "--noheader", "--array", "--format=%f", "--jobs"]
    features = [subprocess.check_output([*asked, job], text=True).strip() for job in jobs]
    assert features == ["fast", "fast", "(null)"]
    statuses = sweeps.run(*small, large, **options)
    assert {status.state for status in statuses.values()} == {State.DONE}


def test_a_failed_job_is_retried_and_its_error_shown(sweeps):
    config = sweeps.config("bad", fails_at=3, seconds=0.01)
    statuses = sweeps.run(config, executor="slurm", executor_options=OPTIONS, retries=1)
    status = statuses["bad seed0"]
    assert (status.state, status.attempts) == (State.FAILED, 2)
    assert "RuntimeError: boom" in status.note


def test_rounds_until_decided_run_as_jobs(sweeps):
    configs = sweeps.study({4: 0.30, -1: 0.41})
    options = sweeps.options(*configs, executor="slurm", executor_options=OPTIONS)
    statuses = sweep_until_decided(options, 0.004, sweeps.display())
    assert len(statuses) == 4 and {status.state for status in statuses} == {State.DONE}
    assert {status.run.reason for status in statuses} == {"", "second seed"}


def test_one_run_trains_in_several_tasks(slurm, tmp_path):
    for ann_file in write_toy(tmp_path / "toy", train=8, val=2).values():
        assert ann_file.exists()
    root = tmp_path / "work_dirs"
    data = tmp_path / "toy"
    done = subprocess.run(
        [
            *(sys.executable, "tools/sweep.py", "configs/toy/toy100_frozen2.py"),
            *("--work-dir", str(root), "--executor", "slurm", "--gpus-per-run", "2"),
            *("--slurm-cpu", "--slurm-cpus-per-task", "1", "--retries", "0", "--"),
            *("--cfg-options", "train_cfg.max_iters=2", "train_cfg.val_interval=2"),
            *("train_dataloader.batch_size=2", "model.backbone.init_cfg=None"),
            f"train_dataloader.dataset.data_root={data}/",
            f"val_dataloader.dataset.data_root={data}/",
            f"val_evaluator.ann_file={data}/annotations/instances_val.json",
        ],
        cwd=ROOT,
        env={**training_environment(), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    work_dir = root / "toy100_frozen2/seed0"
    said = "".join(path.read_text()[-2000:] for path in work_dir.glob("*.txt"))
    assert done.returncode == 0, done.stdout + done.stderr + said
    provenance = json.loads((work_dir / "provenance.json").read_text())
    assert provenance["sessions"][0]["world_size"] == 2 and provenance["finished"]
