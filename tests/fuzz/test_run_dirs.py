"""Work directories of others: a run is read, or marked, and the others go on."""

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.damage import damaged, other_bytes, other_values

START = "20260101_000000"
ROWS = [
    {"lr": 0.01, "loss": 2.5, "time": 0.1, "iter": 10, "step": 10, "train_time": 1.0},
    {"coco/bbox_mAP": 0.2, "train_split/bbox_mAP": 0.3, "train_time": 1.0, "step": 10},
    {"lr": 0.001, "loss": 1.5, "time": 0.1, "iter": 20, "step": 20, "train_time": 2.0},
    {"coco/bbox_mAP": 0.25, "train_split/bbox_mAP": 0.4, "train_time": 2.0, "step": 20},
]
PROVENANCE = {
    "schema": 1,
    "config": "configs/a/a100_frozen1.py",
    "frozen_stages": 1,
    "seed": 0,
    "study": {"dataset": "a", "data_amount": "a100", "fraction": 1.0},
    "train": {"ann_file": "a.json", "sha256": "00", "images": 10, "annotations": 20},
    "val": {"ann_file": "b.json", "sha256": "11", "images": 5},
    "parameters": {"trainable": 10, "frozen": 5},
    "finished": True,
    "stop_reason": None,
    "sessions": [{"started": "2026-01-01T00:00:00+00:00", "world_size": 1, "devices": ["x"]}],
}
SWEEP = {
    "schema": 1,
    "config": "configs/a/a100_frozen1.py",
    "seed": 0,
    "arguments": ["--budget", "0.5"],
    "attempts": [
        {
            "started": "2026-01-01T00:00:00+00:00",
            "where": "here pid 1",
            "from_iteration": 0,
            "ended": "2026-01-01T01:00:00+00:00",
            "iteration": 20,
            "outcome": "done",
            "exit_code": 0,
            "error": None,
        }
    ],
}
CONFIG = b"""model = dict(
    backbone=dict(depth=50, frozen_stages=1, type='ResNet'), type='FasterRCNN')
optim_wrapper = dict(optimizer=dict(lr=0.01, type='SGD'), type='OptimWrapper')
param_scheduler = [dict(by_epoch=False, gamma=0.1, milestones=[15], type='MultiStepLR')]
randomness = dict(seed=0)
study = dict(data_amount='a100', dataset='a', fraction=1.0)
train_cfg = dict(max_iters=20, type='IterBasedTrainLoop', val_interval=10)
train_dataloader = dict(batch_size=2, dataset=dict(ann_file='a.json', type='CocoDataset'))
x = inf
"""
LOG = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)


def write_run(folder: Path) -> Path:
    data = folder / START / "vis_data"
    data.mkdir(parents=True)
    (data / "scalars.json").write_bytes(LOG)
    (data / "config.py").write_bytes(CONFIG)
    (folder / "provenance.json").write_text(json.dumps(PROVENANCE))
    (folder / "sweep.json").write_text(json.dumps(SWEEP))
    (folder / "last_checkpoint").write_text("/somewhere/iter_20.pth")
    return folder


@st.composite
def damaged_logs(draw):
    rows = [json.dumps(row).encode() for row in ROWS]
    index = draw(st.integers(0, len(rows) - 1))
    rows[index] = draw(st.one_of(other_values(ROWS[index]), other_bytes(rows[index])))
    return b"\n".join(rows) + b"\n"


DAMAGE = st.one_of(
    st.tuples(st.just(f"{START}/vis_data/scalars.json"), damaged_logs()),
    st.tuples(st.just(f"{START}/vis_data/config.py"), other_bytes(CONFIG)),
    st.tuples(st.just("provenance.json"), damaged(PROVENANCE)),
    st.tuples(st.just("sweep.json"), damaged(SWEEP)),
    st.tuples(st.just("last_checkpoint"), st.binary(max_size=300)),
    st.tuples(st.just("slurm.json"), damaged({"job": "12", "submitted": "2026-01-01"})),
    st.tuples(st.just("run.lock"), damaged({"host": "a", "pid": 1, "where": "a"})),
)


def two_runs(folder: Path, damage: tuple[str, bytes]) -> tuple[Path, Path]:
    shutil.rmtree(folder, ignore_errors=True)
    good, bad = (write_run(folder / name / "seed0") for name in ("good", "bad"))
    rows = LOG.replace(b"0.25", b"0.26")  # else it is a copy of the other
    (good / START / "vis_data/scalars.json").write_bytes(rows)
    (bad / damage[0]).write_bytes(damage[1])
    return good, bad


@given(damage=DAMAGE)
def test_one_damaged_run_stops_nobody(tmp_path, light_reader, damage):
    good, _ = two_runs(tmp_path / "runs", damage)
    assert str(good) in light_reader("runs", tmp_path / "runs")


@given(damage=DAMAGE)
def test_its_state_and_record_can_be_told(tmp_path, torch_reader, damage):
    _, bad = two_runs(tmp_path / "runs", damage)
    assert torch_reader("state", bad)


@settings(max_examples=settings().max_examples // 30)  # a report takes a second or more
@given(damage=DAMAGE)
def test_a_report_of_both_is_written(tmp_path, light_reader, damage):
    two_runs(tmp_path / "runs", damage)
    light_reader("report", tmp_path / "runs", tmp_path / "out")


@pytest.mark.parametrize(
    "name", [f"{START}/vis_data/scalars.json", "provenance.json", "sweep.json"]
)
def test_pipes_are_passed_over(tmp_path, light_reader, torch_reader, name):
    good, bad = two_runs(tmp_path / "runs", ("last_checkpoint", b""))
    (bad / name).unlink()
    os.mkfifo(bad / name)
    assert str(good) in light_reader("runs", tmp_path / "runs")
    assert torch_reader("state", bad)
