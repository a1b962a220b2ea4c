"""tools/train.py, tools/test.py, their launchers and mim, as a user calls them."""

import os
import pickle
import sys

import pytest
import torch

from fzmm.run_lock import RunLock
from fzmm.toy.dataset import write_toy

from .conftest import ROOT, SMALL

CONFIG = ROOT / "configs" / "toy" / "toy100_frozen2.py"


def predictions(path):
    """Return what a test dumped, by image: labels, scores and boxes."""
    with path.open("rb") as file:
        results = pickle.load(file)
    return {
        result["img_id"]: [result["pred_instances"][key] for key in ("labels", "scores", "bboxes")]
        for result in results
    }


def test_two_processes_train_and_every_way_to_test_agrees(run, mim_name, tmp_path):
    write_toy(tmp_path / "data" / "toy", train=24, val=6)
    run("bash", ROOT / "tools/dist_train.sh", CONFIG, 2, "--cfg-options", *SMALL)
    work_dir = tmp_path / "work_dirs" / "toy100_frozen2"
    assert (work_dir / "provenance.json").read_text().count('"world_size": 2') == 1
    checkpoint = work_dir / "iter_4.pth"
    small = ["--cfg-options", *SMALL]
    test = [sys.executable, ROOT / "tools/test.py", CONFIG, checkpoint]
    run(*test, "--out", "one.pkl", *small)
    run("bash", ROOT / "tools/dist_test.sh", CONFIG, checkpoint, 2, "--out", "two.pkl", *small)
    # mim runs MMDetection's own tools/test.py
    mim = ["mim", "test", mim_name, CONFIG, "--checkpoint", checkpoint]
    run(*mim, "--out", "mim.pkl", *small)
    one = predictions(tmp_path / "one.pkl")
    assert len(one) == 6 and any(len(scores) for _, scores, _ in one.values())
    for other in ("two.pkl", "mim.pkl"):
        others = predictions(tmp_path / other)
        assert others.keys() == one.keys()
        for image, values in one.items():
            for a, b in zip(values, others[image], strict=True):
                torch.testing.assert_close(a, b)


def test_mim_trains_with_the_fast_recipe(run, mim_name, tmp_path):
    write_toy(tmp_path / "data" / "toy", train=8, val=2)
    config = tmp_path / "fast.py"
    config.write_text(f'_base_ = "{CONFIG}"\nrunner_type = "FastRunner"\n')
    run("mim", "train", mim_name, config, "--gpus", 0, "--cfg-options", *SMALL)
    record = (tmp_path / "work_dirs" / "fast" / "provenance.json").read_text()
    assert '"finished": true' in record
    log = next((tmp_path / "work_dirs" / "fast").glob("*/*.log")).read_text()
    assert "Mixed precision on" in log


def test_mim_leaves_a_directory_alone_in_which_another_trains(run, mim_name, tmp_path):
    write_toy(tmp_path / "data" / "toy", train=2, val=2)
    lock = RunLock(tmp_path / "work_dirs" / "toy100_frozen2")
    assert lock.acquire(dict(where="a sweep"))
    command = ["mim", "train", mim_name, CONFIG, "--gpus", 0, "--cfg-options", *SMALL]
    done = run(*command, code=2)
    assert "toy100_frozen2: a sweep is training here; wait for it" in the_one_line(done)
    assert not list(lock.path.parent.glob("*.pth"))
    assert not (lock.path.parent / "provenance.json").exists()
    lock.release()


def the_one_line(done):
    """Return the only line of error that a process has printed."""
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "Traceback" not in done.stdout + done.stderr, done.stderr
    return errors[0]


def test_mistakes_that_mmdetections_own_scripts_meet_get_one_line(run, mim_name, tmp_path):
    write_toy(tmp_path / "data" / "toy", train=2, val=2)
    train = ["mim", "train", mim_name, CONFIG, "--gpus", 0, "--cfg-options", *SMALL]
    done = run(*train, "default_hooks.train_split.num_images=-4", code=2)
    assert "num_images" in the_one_line(done)

    torch.save(dict(state_dict={}, meta=pickle.Unpickler), tmp_path / "code.pth")
    test = ["mim", "test", mim_name, CONFIG, "--checkpoint", "code.pth", "--cfg-options", *SMALL]
    assert "--trust-checkpoint" in the_one_line(run(*test, code=2))


@pytest.fixture
def odd_files(tmp_path):
    """Things that are no files, by the names under which a command is given them."""
    os.mkfifo(tmp_path / "pipe.pth")
    (tmp_path / "folder.pth").mkdir()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("pipe.pth", "pipe.pth: is not a regular file"),
        ("/dev/zero", "/dev/zero: is not a regular file"),
        ("folder.pth", "folder.pth: is a folder; give a checkpoint"),
    ],
)
@pytest.mark.parametrize(
    "arguments",
    [["tools/train.py", CONFIG, "--resume"], ["tools/test.py", CONFIG]],
    ids=["train", "test"],
)
def test_what_is_no_file_is_no_checkpoint(arguments, path, reason, run, odd_files, tmp_path):
    write_toy(tmp_path / "data" / "toy", train=2, val=2)
    done = run(sys.executable, ROOT / arguments[0], *arguments[1:], path, code=2)
    assert reason in the_one_line(done)
    assert not (tmp_path / "work_dirs").exists()  # told before anything is made


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["tools/train.py", "absent.py"], "absent.py: no such config"),
        (
            ["tools/train.py", CONFIG, "--resume", "absent.pth", "--cfg-options", SMALL[0]],
            "absent.pth",
        ),
        (["tools/train.py", CONFIG, "--budget", "2"], "budget"),
        (["tools/train.py", ROOT / "configs/fz/coco50_frozen2.py"], "tools/make_subsets.py"),
        (["tools/test.py", CONFIG, "absent.pth"], "absent.pth: no such checkpoint"),
        (
            ["tools/test.py", ROOT / "configs/fz/coco50_frozen2.py", CONFIG],
            "instances_val2017.json: no such annotation file",
        ),
    ],
)
def test_mistakes_get_one_line(command, message, run, tmp_path):
    write_toy(tmp_path / "data" / "toy", train=2, val=2)
    script, *arguments = command
    done = run(sys.executable, ROOT / script, *arguments, code=2)
    assert message in the_one_line(done)


@pytest.mark.parametrize(
    ("script", "arguments", "usage"),
    [
        ("dist_train.sh", ["a.py"], "CONFIG PROCESSES"),
        ("dist_train.sh", ["a.py", "four"], "'four' is not a number of processes"),
        ("dist_test.sh", ["a.py", "4"], "CONFIG CHECKPOINT PROCESSES"),
        ("slurm_train.sh", ["gpu", "job"], "PARTITION JOB_NAME CONFIG WORK_DIR"),
        ("slurm_test.sh", ["gpu", "job"], "PARTITION JOB_NAME CONFIG CHECKPOINT"),
    ],
)
def test_launchers_tell_their_usage(script, arguments, usage, run):
    done = run("bash", ROOT / "tools" / script, *arguments, code=2)
    assert done.stderr.startswith("error: ") and usage in done.stderr
    assert done.stderr.count("\n") == 1
