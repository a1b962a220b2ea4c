"""Whoever trains holds the work directory."""

import json
import os
import socket

from fzmm.run_lock import RunLock, lock_holder


def test_a_directory_that_is_being_trained_in_is_left_alone(finished_run, config, train, tmp_path):
    lock = RunLock(tmp_path / "run")
    assert lock.acquire(dict(host=socket.gethostname(), pid=os.getpid(), where="a sweep"))
    out = train(config(), "run", code=2)
    assert "run: a sweep is training here; wait for it" in out.splitlines()[-1]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.lock"]
    lock.release()


def test_a_training_holds_its_directory_and_gives_it_back(config, start, train, tmp_path):
    path = config("train_cfg = dict(max_iters=4000, val_interval=9000)")
    first = start(path, "run")
    first.wait_for("iter_4.pth")
    assert lock_holder(tmp_path / "run")["pid"] == first.pids[0]
    out = train(path, "run", "--resume", "--cfg-options", "randomness.seed=9", code=2)
    # the first training prints to the same file, so the refusal need not be the last line
    errors = [line for line in out.splitlines() if line.startswith("error:")]
    assert len(errors) == 1 and "is training here" in errors[0]
    first.kill()
    first.wait(-9)
    assert lock_holder(tmp_path / "run") is None


def test_a_child_trains_under_its_parents_lock(config, train, tmp_path, monkeypatch):
    lock = RunLock(tmp_path / "run")
    assert lock.acquire(dict(where="a sweep"))
    path = config("train_cfg = dict(max_iters=1, val_interval=9)")
    train(path, "run", environment=lock.environment())
    assert json.loads((tmp_path / "run/provenance.json").read_text())["finished"] is True
    lock.release()
