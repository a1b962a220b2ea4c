"""Files that make no sense cost their own run, not the table of all."""

import json
import os
import shutil

import pytest

from fzmm.sweep.planned_run import plan_runs
from fzmm.sweep.run_dir.state import State, read_status
from fzmm.sweep.table import Display


@pytest.fixture
def finished(sweeps):
    """A finished run, and a function that reads its state again."""
    config = sweeps.config("a")
    sweeps.run(config)
    (run,) = plan_runs([config], root=sweeps.root)
    return sweeps.work_dir(config), lambda: read_status(run)


def pipe(path):
    path.unlink()
    os.mkfifo(path)


DEEP = "[" * 100_000
LONG = "9" * 5_000


@pytest.mark.parametrize("name", ["sweep.json", "provenance.json"])
@pytest.mark.parametrize("text", [DEEP, '{"attempts": ' + LONG + "}", "[]", '{"attempts": [3]}'])
def test_records(finished, name, text):
    work_dir, read = finished
    (work_dir / name).write_text(text)
    assert read().state is State.DONE


def test_values_of_other_types_in_a_record(finished):
    work_dir, read = finished
    entry = dict(
        started=3, where=[1], from_iteration="x", iteration=True, error={}, outcome="failed"
    )
    (work_dir / "sweep.json").write_text(json.dumps(dict(attempts=[entry])))
    (work_dir / "provenance.json").unlink()
    (work_dir / "last_checkpoint").unlink()
    assert read().state is State.FAILED


@pytest.mark.parametrize(
    "name", ["sweep.json", "provenance.json", "last_checkpoint", "run.lock", "slurm.json"]
)
def test_pipes_in_place_of_files(finished, name):
    work_dir, read = finished
    (work_dir / name).touch()
    pipe(work_dir / name)
    assert read().state is State.DONE


def test_names_of_checkpoints(finished):
    work_dir, read = finished
    for name in ("iter_².pth", f"iter_{'9' * 200}.pth", "iter_-1.pth"):
        (work_dir / name).touch()
    assert read().progress.checkpoint == 20
    (work_dir / "last_checkpoint").write_text("x" * 10_000)
    assert read().state is State.DONE
    (work_dir / "last_checkpoint").write_text("iter_" + "9" * 300 + ".pth")
    assert "is gone; the results stand" in read().note
    (work_dir / "last_checkpoint").write_text("a\0b")
    assert read().state is State.DONE


@pytest.mark.parametrize("value", ["NaN", "true", "37.5", "Infinity", '"x"', LONG])
def test_values_that_are_no_map(finished, value):
    work_dir, read = finished
    log = next(work_dir.glob("*/vis_data/scalars.json"))
    with open(log, "a") as file:
        file.write('{"coco/bbox_mAP": ' + value + ', "step": 20}\n')
    status = read()
    assert status.progress.best_map == 0.25
    assert "scalars.json" in status.note


def test_a_log_that_is_a_pipe_is_noted(finished):
    work_dir, read = finished
    pipe(next(work_dir.glob("*/vis_data/scalars.json")))
    status = read()
    assert status.state is State.DONE and "not a regular file" in status.note


def test_a_length_of_thousands_of_digits(finished):
    work_dir, read = finished
    next(work_dir.glob("*/vis_data/config.py")).write_text(f"max_iters = {LONG}")
    assert read().state is State.DONE


def test_a_finished_run_shows_its_last_iteration_not_its_last_logged_row(finished, sweeps):
    work_dir, read = finished
    log = next(work_dir.glob("*/vis_data/scalars.json"))
    rows = [
        row
        for row in log.read_text().splitlines(True)
        if '"iter": ' not in row or '"iter": 15,' in row
    ]
    log.write_text("".join(rows))
    assert read().progress.iteration == 20
    (work_dir / "provenance.json").write_text(
        json.dumps(dict(finished=True, stop_reason="the mAP falls"))
    )
    for path in work_dir.glob("iter_20.pth"):
        path.unlink()
    (work_dir / "last_checkpoint").write_text("iter_15.pth")
    assert read().progress.iteration == 15


def test_names_and_errors_are_shown_as_they_are(sweeps, capsys):
    config = sweeps.config("a")
    odd = config.with_name("[red]a[bold]\x1b[2J.py")
    shutil.copy(config, odd)
    (run,) = plan_runs([odd], root=sweeps.root)
    run.work_dir.mkdir(parents=True)
    attempt = dict(outcome="failed", error="\x1b]0;title\x07 [b]")
    (run.work_dir / "sweep.json").write_text(json.dumps(dict(attempts=[attempt])))
    Display().final([read_status(run)])
    printed = capsys.readouterr().out
    assert "[red]a[bold]\\x1b[2J seed0" in printed and "[b]" in printed
    assert "\x1b" not in printed and "\x07" not in printed
