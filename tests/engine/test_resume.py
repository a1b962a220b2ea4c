"""Stop a training at any moment and continue it: the same batches, losses and weights."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from fzmm.exit_codes import PREEMPTED_EXIT_CODE
from tests.engine.helpers import assert_same_weights, losses, rows, weights

ROOT = Path(__file__).resolve().parents[2]


def test_kill_and_resume_is_exact(config, start, train, tmp_path):
    path = config()
    train(path, "whole")
    whole = tmp_path / "whole"
    killed = start(path, "killed")
    killed.wait_for("iter_8.pth")
    killed.kill()
    killed.wait(-9)
    # what a kill in the middle of a save leaves, and what a broken disk does
    (tmp_path / "killed/.iter_9.pth.tmp").write_bytes(b"half")
    (tmp_path / "killed/iter_9.pth").write_bytes((whole / "iter_8.pth").read_bytes()[:100_000])
    out = train(path, "killed", "--resume")
    assert "iter_9.pth: not a readable checkpoint" in out
    assert "resumed epoch: 0, iter: 8" in out
    assert not list((tmp_path / "killed").glob("*.tmp"))
    assert losses(tmp_path / "killed") == losses(whole)
    assert len(losses(whole)) == 12
    assert_same_weights(whole / "iter_12.pth", tmp_path / "killed/iter_12.pth")

    rates, times = (
        {r["step"]: r[k] for r in rows(whole) if "lr" in r} for k in ("lr", "train_time")
    )
    again = {r["step"]: r for r in rows(tmp_path / "killed") if "lr" in r}
    assert rates == {step: row["lr"] for step, row in again.items()}
    assert len(set(rates.values())) >= 6  # the warm-up and both decays
    assert sorted(times.values()) == list(times.values())
    resumed = [again[step]["train_time"] for step in sorted(again)]
    assert sorted(resumed) == resumed  # the sum goes on where it was

    record = json.loads((tmp_path / "killed/provenance.json").read_text())
    assert record["finished"] is True
    assert [session["from_iteration"] for session in record["sessions"]] == [0, 8]


def test_a_validation_that_was_due_is_made_up_for(config, train, tmp_path):
    path = config("train_cfg = dict(max_iters=7, val_interval=6)")
    train(path, "whole")
    checkpoint = torch.load(tmp_path / "whole/iter_6.pth", weights_only=False)
    state = checkpoint["message_hub"]["runtime_info"]
    assert state.pop("fzmm_validated_iter") == 6  # as if killed before the validation's end
    (tmp_path / "again").mkdir()
    torch.save(checkpoint, tmp_path / "again/iter_6.pth")
    out = train(path, "again", "--resume")
    assert "making up for the validation at iteration 6" in out
    before, after = (
        {r["step"]: r["coco/bbox_mAP"] for r in rows(tmp_path / name) if "coco/bbox_mAP" in r}
        for name in ("whole", "again")
    )
    assert before == after
    assert set(after) == {6, 7}


def test_two_processes_stop_together_and_resume_exactly(config, start, train, tmp_path):
    path = config()
    train(path, "whole", processes=2)
    training = start(path, "stopped", processes=2)
    training.wait_for("iter_4.pth")
    training.kill(signal.SIGTERM, ranks=[1])  # one process and its data workers
    out = training.wait(PREEMPTED_EXIT_CODE)
    assert "continue with --resume" in out
    record = json.loads((tmp_path / "stopped/provenance.json").read_text())
    assert record["finished"] is False
    stopped_at = int((tmp_path / "stopped/last_checkpoint").read_text().split("_")[-1][:-4])
    assert f"after iteration {stopped_at};" in record["stop_reason"]
    if stopped_at < 12:
        training = start(path, "stopped", "--resume", processes=2)
        training.wait_for("iter_8.pth")
        training.kill()
        training.wait(-9)
        out = train(path, "stopped", "--resume", processes=2)
    assert losses(tmp_path / "stopped") == losses(tmp_path / "whole")
    assert_same_weights(tmp_path / "whole/iter_12.pth", tmp_path / "stopped/iter_12.pth")
    assert json.loads((tmp_path / "stopped/provenance.json").read_text())["finished"] is True


def test_two_processes_train_as_one_that_accumulates(config, train, tmp_path):
    all_samples = dict(num=10**6, neg_pos_ub=-1)  # draws nothing at random
    lines = [
        "param_scheduler = []",
        "train_cfg = dict(max_iters=3, val_interval=100)",
        f"model = dict(train_cfg=dict(rpn=dict(sampler=dict({all_samples})), "
        f"rcnn=dict(sampler=dict({all_samples}))))",
    ]
    train(config(*lines, name="two"), "two", processes=2)
    lines[1] = "train_cfg = dict(max_iters=6, val_interval=100)"
    train(config(*lines, "optim_wrapper = dict(accumulative_counts=2)", name="one"), "one")
    two, one = (weights(tmp_path / name) for name in ("two/iter_3.pth", "one/iter_6.pth"))
    start = torch.load(tmp_path / "one/iter_4.pth", weights_only=False)["state_dict"]
    for name, value in two.items():
        torch.testing.assert_close(value, one[name], rtol=1e-4, atol=1e-5)
    assert any(not torch.equal(start[name], value) for name, value in one.items())


def test_no_checkpoint_can_be_read(config, train, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/iter_4.pth").write_bytes(b"rubbish")
    out = train(config(), "run", "--resume", code=2)
    assert "none of its 1 checkpoints can be read" in out
    assert "Traceback" not in out
    assert (tmp_path / "run/iter_4.pth").exists()


def test_resuming_another_run_is_refused(finished_run, config, train, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    before = (tmp_path / "run/provenance.json").read_bytes()
    out = train(config("model = dict(backbone=dict(frozen_stages=3))"), "run", "--resume", code=2)
    assert out.splitlines()[-1].startswith("error: the run in ")
    assert "with frozen_stages 1, this config has 3" in out.splitlines()[-1]
    assert (tmp_path / "run/provenance.json").read_bytes() == before
    # other data, and a checkpoint without a record beside it
    shutil.copy(finished_run / "iter_4.pth", tmp_path / "elsewhere.pth")
    path = config('train_dataloader = dict(dataset=dict(ann_file="val.json"))')
    out = train(path, "other", "--resume", tmp_path / "elsewhere.pth", code=2)
    assert "elsewhere.pth was trained with training annotations" in out.splitlines()[-1]


def test_dist_train_ends_with_the_code_of_its_processes(config, tmp_path):
    """The signal is sent to the script alone; torchrun itself would end with 1."""
    path = config("train_cfg = dict(max_iters=4000, val_interval=9000)")
    environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHON=sys.executable)
    command = ["bash", "tools/dist_train.sh", str(path), "2", "--work-dir", str(tmp_path / "run")]
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        end = time.time() + 120
        while not (tmp_path / "run/iter_4.pth").exists() and time.time() < end:
            assert process.poll() is None, (tmp_path / "log").read_text()[-4000:]
            time.sleep(0.05)
        process.terminate()
        assert process.wait(60) == PREEMPTED_EXIT_CODE, (tmp_path / "log").read_text()[-4000:]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert "stopped by SIGTERM" in (tmp_path / "run/provenance.json").read_text()
