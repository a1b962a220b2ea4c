"""A sweep trains every run once, to its end, whatever is done to it in between."""

import os
import shutil
import signal
import subprocess
import time

import pytest

from fzmm.commands.sweep import main
from fzmm.errors import UserError
from fzmm.run_lock import RunLock, lock_holder
from fzmm.sweep.planned_run import plan_runs
from fzmm.sweep.run_dir.record import read_record
from fzmm.sweep.run_dir.state import State, read_status


def test_every_config_and_seed_is_trained_once_and_then_left_alone(sweeps):
    a, b = sweeps.config("a"), sweeps.config("b")
    statuses = sweeps.run(a, b, seeds=[0, 1])
    assert list(statuses) == ["a seed0", "b seed0", "a seed1", "b seed1"]
    assert {status.state for status in statuses.values()} == {State.DONE}
    assert statuses["b seed1"].progress.best_map == 0.26
    assert "4 of 4 done" in sweeps.printed
    sweeps.run(a, b, seeds=[0, 1])
    assert "4 of 4 runs are finished" in sweeps.printed
    assert sweeps.iterations(a, 1) == list(range(1, 21))


def test_a_killed_training_goes_on_from_its_checkpoint(sweeps):
    config = sweeps.config("a")
    sweep = sweeps.start(config)
    sweeps.wait_for(config, 12)
    os.kill(sweeps.training_pid(config), signal.SIGKILL)
    assert sweep.wait(60) == 0
    printed = sweep.stdout.read()
    assert "a seed0: interrupted: killed by SIGKILL" in printed
    assert "starting, from iteration 10" in printed
    made = sweeps.iterations(config)
    assert sorted(set(made)) == list(range(1, 21)) and made.count(10) == 1
    assert read_status(plan_runs([config], root=sweeps.root)[0]).attempts == 2


def test_a_sweep_killed_outright_leaves_trainings_saved_and_unlocked(sweeps):
    config, later = sweeps.config("a"), sweeps.config("later")
    sweep = sweeps.start(config, later)
    sweeps.wait_for(config, 7)
    sweep.kill()
    sweep.wait()
    run = plan_runs([config], root=sweeps.root)[0]
    deadline = time.monotonic() + 20
    while lock_holder(run.work_dir) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert read_status(run).state is State.INTERRUPTED
    statuses = sweeps.run(config, later)
    assert {status.state for status in statuses.values()} == {State.DONE}
    assert sweeps.iterations(config) == list(range(1, 21))  # saved at the signal: nothing twice
    outcomes = [attempt["outcome"] for attempt in read_record(run.work_dir)["attempts"]]
    assert outcomes == [State.INTERRUPTED, State.DONE]  # though nobody saw the first one's end


def test_ctrl_c_saves_and_stops(sweeps):
    config = sweeps.config("a")
    sweep = sweeps.start(config)
    sweeps.wait_for(config, 6)
    sweep.send_signal(signal.SIGINT)
    printed, _ = sweep.communicate(timeout=60)
    assert "stopping a seed0" in printed and "0 of 1 done, 1 interrupted" in printed
    assert sweeps.iterations(config)[-1] < 20
    statuses = sweeps.run(config)
    assert statuses["a seed0"].state is State.DONE
    assert sweeps.iterations(config) == list(range(1, 21))


def test_two_sweeps_on_one_directory_share_the_runs(sweeps):
    configs = [sweeps.config(name) for name in "abc"]
    both = [sweeps.start(*configs), sweeps.start(*configs)]
    for sweep in both:
        printed, _ = sweep.communicate(timeout=120)
        assert sweep.returncode == 0 and "3 of 3 done" in printed
    for config in configs:
        assert sweeps.iterations(config) == list(range(1, 21))


def test_the_lock_outlives_a_killed_holder_only_in_its_children(tmp_path):
    lock = RunLock(tmp_path)
    assert lock.acquire(dict(where="here"))
    child = subprocess.Popen(["sleep", "60"], pass_fds=[lock.fd])
    os.close(lock.fd)  # as if this process had been killed
    assert lock_holder(tmp_path) == dict(where="here")
    assert not RunLock(tmp_path).acquire({})
    child.kill()
    child.wait()
    assert lock_holder(tmp_path) is None
    assert RunLock(tmp_path).acquire({})


def test_a_failing_run_is_retried_and_its_error_shown_and_the_others_go_on(sweeps):
    bad, good = sweeps.config("bad", fails_at=8), sweeps.config("good")
    statuses = sweeps.run(bad, good, retries=2)
    assert statuses["good seed0"].state is State.DONE
    failed = statuses["bad seed0"]
    assert (failed.state, failed.attempts) == (State.FAILED, 3)
    assert "RuntimeError: boom" in failed.note and "given up after 3" in failed.note
    assert "RuntimeError: boom" in sweeps.printed
    sweeps.config("bad")  # fixed
    assert sweeps.run(bad, good)["bad seed0"].state is State.DONE
    assert sweeps.iterations(bad)[-15:] == list(range(6, 21))


def test_an_image_taken_away_fails_by_name_and_goes_on_when_it_is_back(sweeps, tmp_path):
    image = tmp_path / "photo.jpg"
    config = sweeps.config("a", image=str(image), needs_image_at=9)
    failed = sweeps.run(config, retries=0)["a seed0"]
    assert failed.state is State.FAILED and f"FileNotFoundError: {image}" in failed.note
    image.touch()
    assert sweeps.run(config)["a seed0"].state is State.DONE


def test_deleted_checkpoints(sweeps):
    config = sweeps.config("a")
    work_dir = sweeps.work_dir(config)
    sweeps.run(config)
    for path in work_dir.glob("*.pth"):
        path.unlink()
    status = sweeps.run(config)["a seed0"]
    assert status.state is State.DONE and "iter_20.pth is gone; the results stand" in status.note
    assert sweeps.iterations(config) == list(range(1, 21))

    other = sweeps.config("b")
    sweep = sweeps.start(other)
    sweeps.wait_for(other, 12)
    sweep.send_signal(signal.SIGTERM)
    sweep.communicate(timeout=60)
    *_, before, saved = sorted(int(p.stem[5:]) for p in sweeps.work_dir(other).glob("iter_*.pth"))
    (sweeps.work_dir(other) / f"iter_{saved}.pth").unlink()
    status = read_status(plan_runs([other], root=sweeps.root)[0])
    assert status.state is State.INTERRUPTED
    assert f"iter_{saved}.pth is gone; goes on from iteration {before}" in status.note
    assert sweeps.run(other)["b seed0"].state is State.DONE


def test_corrupt_logs_and_records_make_no_run_train_twice(sweeps):
    config = sweeps.config("a")
    work_dir = sweeps.work_dir(config)
    sweeps.run(config)
    log = next(work_dir.glob("*/vis_data/scalars.json"))
    log.write_bytes(b"\x00\xff rubbish\n" * 3 + log.read_bytes())
    status = sweeps.run(config)["a seed0"]
    assert status.state is State.DONE and status.progress.best_map == 0.25
    assert "scalars.json: 3" in status.note
    log.write_bytes(os.urandom(1000))
    (work_dir / "sweep.json").write_text("{")
    assert sweeps.run(config)["a seed0"].state is State.DONE
    (work_dir / "provenance.json").write_text("")  # the checkpoint of the last iteration remains
    assert sweeps.run(config)["a seed0"].state is State.DONE
    assert sweeps.iterations(config) == list(range(1, 21))


def test_a_full_disk_stops_the_sweep_and_loses_nothing(sweeps):
    mount = sweeps.root
    mount.mkdir()
    if os.geteuid() or shutil.which("mount") is None:
        pytest.skip("mounting a small file system needs root")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "none", mount]).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        done, full, never = sweeps.config("done"), sweeps.config("full"), sweeps.config("never")
        sweeps.config("full", checkpoint_bytes=30 * 2**20)
        statuses = sweeps.run(done, full, never)
        assert statuses["done seed0"].state is State.DONE
        assert "No space left on device" in sweeps.printed
        assert statuses["full seed0"].state in (State.FAILED, State.INTERRUPTED)
        assert statuses["never seed0"].state is State.WAITING
        assert "free: nothing more is started" in statuses["never seed0"].note
        sweeps.config("full")
        (sweeps.work_dir(full) / "iter_5.pth").unlink()
        statuses = sweeps.run(done, full, never)
        assert {status.state for status in statuses.values()} == {State.DONE}
        assert sweeps.iterations(done) == list(range(1, 21))
    finally:
        subprocess.run(["umount", mount], check=True)


def test_bad_plans_are_refused_in_one_line(sweeps, tmp_path):
    (tmp_path / "other").mkdir()
    config = sweeps.config("a")
    twin = tmp_path / "other/a.py"
    twin.write_text(config.read_text())
    (tmp_path / "broken.py").write_text("model = (")
    (tmp_path / "empty.py").write_text("x = 1")
    for configs, reason in [
        ([], "no config given"),
        ([tmp_path / "none.py"], "no such config file"),
        ([config, twin], "would share"),
        ([tmp_path / "broken.py"], "cannot be read"),
        ([tmp_path / "empty.py"], "has no model"),
    ]:
        with pytest.raises(UserError, match=reason):
            sweeps.run(*configs)
    with pytest.raises(UserError, match="--budget 0"):
        sweeps.run(config, budget=0)


def test_a_file_in_place_of_a_directory_fails_its_run_alone(sweeps):
    blocked, good = sweeps.config("blocked"), sweeps.config("good")
    sweeps.root.mkdir()
    (sweeps.root / "blocked").write_text("not a folder")
    statuses = sweeps.run(blocked, good)
    assert statuses["good seed0"].state is State.DONE
    assert statuses["blocked seed0"].state is not State.DONE
    assert "check the folder and its permissions" in statuses["blocked seed0"].note


def test_a_sweep_whose_runs_are_not_done_ends_with_1(sweeps, capsys):
    (sweeps.folder / "work_dirs").write_text("a file")
    arguments = [str(sweeps.config("a")), "--work-dir", str(sweeps.root)]
    assert main(arguments) == 1
    assert "0 of 1 done" in capsys.readouterr().out


def test_a_training_that_ends_with_0_before_its_end_has_failed(sweeps):
    status = sweeps.run(sweeps.config("a", leaves_at=8), retries=0)["a seed0"]
    assert status.state is State.FAILED and "not at its end" in status.note


def test_a_config_that_exits_is_no_success(sweeps):
    config = sweeps.config("a")
    config.write_text("raise SystemExit(0)")
    with pytest.raises(UserError, match="a.py: cannot be read: SystemExit"):
        sweeps.run(config)
