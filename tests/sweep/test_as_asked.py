"""A sweep counts a run as done only if it was trained as the sweep asks."""

import subprocess
import sys

import pytest

from fzmm.errors import UserError
from fzmm.paths import ROOT
from fzmm.sweep.run_dir.state import State
from fzmm.sweep.run_dir.trained_settings import differences, settings_of
from fzmm.sweep.training.training_command import training_environment
from fzmm.toy.dataset import write_toy


def test_other_arguments_in_one_directory_are_refused(sweeps):
    config = sweeps.config("a")
    sweeps.run(config, budget=0.5)
    assert sweeps.iterations(config) == list(range(1, 11))
    with pytest.raises(UserError, match="was trained with `--budget 0.5`, not `no arguments`"):
        sweeps.run(config)


def test_a_shorter_run_is_not_done_where_the_record_is_lost(sweeps):
    config = sweeps.config("a")
    sweeps.run(config, budget=0.5)
    (sweeps.work_dir(config) / "sweep.json").unlink()
    with pytest.raises(UserError, match="train_cfg.max_iters 10, not 20; .* --redo"):
        sweeps.run(config)


def test_an_edited_config_is_told_and_redone_with_the_old_run_put_aside(sweeps):
    edited, same = sweeps.config("a"), sweeps.config("same")
    sweeps.run(edited, same)
    edited.write_text(edited.read_text().replace("max_iters=20", "max_iters=30"))
    with pytest.raises(UserError, match="a/seed0: was trained with train_cfg.max_iters 20, not 30"):
        sweeps.run(edited, same)
    statuses = sweeps.run(edited, same, redo=True)
    assert {status.state for status in statuses.values()} == {State.DONE}
    assert sweeps.iterations(edited) == list(range(1, 31))
    assert sweeps.iterations(same) == list(range(1, 21))
    (old,) = (sweeps.root / ".replaced/a").iterdir()
    assert len((old / "iterations.txt").read_text().split()) == 20
    assert "a seed0: put aside in" in sweeps.printed


@pytest.fixture
def toy_sweep(tmp_path):
    """A sweep of one real training of two iterations; takes what changes the config."""
    data = tmp_path / "toy"
    write_toy(data, train=8, val=2)
    config = tmp_path / "small.py"
    config.write_text(
        f"""_base_ = {str(ROOT / "configs/toy/toy100_frozen2.py")!r}
model = dict(backbone=dict(init_cfg=None))
train_cfg = dict(max_iters=4, val_interval=4)
train_dataloader = dict(batch_size=2, dataset=dict(data_root="{data}/"))
val_dataloader = dict(dataset=dict(data_root="{data}/"))
val_evaluator = dict(ann_file="{data}/annotations/instances_val.json")
default_hooks = dict(train_split=None)
"""
    )

    def sweep(extra="", *arguments):
        config.write_text(config.read_text() + extra)
        return subprocess.run(
            [
                *(sys.executable, "tools/sweep.py", str(config), "--budget", "0.5"),
                *("--work-dir", str(tmp_path / "work_dirs"), "--retries", "0", *arguments),
            ],
            cwd=ROOT,
            env={**training_environment(), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )

    return sweep


def test_a_real_training_is_found_as_asked_and_an_edit_of_it_is_found(toy_sweep):
    first = toy_sweep()
    assert first.returncode == 0, first.stdout + first.stderr
    again = toy_sweep()
    assert again.returncode == 0 and "1 of 1 runs are finished" in again.stdout, again.stderr
    harmless = toy_sweep("train_dataloader['num_workers'] = 0\n")
    assert harmless.returncode == 0, harmless.stderr
    other = toy_sweep("optim_wrapper = dict(optimizer=dict(lr=0.5))\n")
    assert other.returncode == 2
    assert "optim_wrapper.optimizer.lr 0.015, not 0.5" in other.stderr


def test_a_run_from_another_detector_is_not_as_asked():
    first, second = (
        settings_of({"study": {"load_from": "a.pth", "load_from_sha256": sha256}})
        for sha256 in ("1" * 64, "2" * 64)
    )
    assert differences(first, first) == []
    (difference,) = differences(second, first)
    assert difference.startswith("study.load_from_sha256 '1111")
    without = settings_of({"study": {"dataset": "cells"}})
    assert len(differences(first, without)) == len(differences(without, first)) == 1
