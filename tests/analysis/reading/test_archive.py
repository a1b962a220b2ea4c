"""A small copy of runs that a report reads as it reads the runs."""

import csv
import gzip
import json
import shutil

import pytest

from fzmm.errors import UserError
from tests.analysis import synthetic
from tests.tools.test_analyze_logs import run


@pytest.fixture
def runs(tmp_path):
    root = tmp_path / "work_dirs"
    synthetic.write_study(root, amounts=("coco100", "coco25-1"), variations=False, scratch=False)
    return root


def test_the_copy_gives_the_same_answer(runs, tmp_path):
    killed = synthetic.write_run(runs, "coco50", 2, until=100_000)
    done = run("archive", runs, "--out", tmp_path / "small")
    assert f"note: {killed}: not finished; left out" in done.stderr
    assert "runs copied to" in done.stdout
    shutil.rmtree(killed.parent)
    whole, small = (
        json.loads(run("recommend", folder, "--json").stdout)
        for folder in (runs, tmp_path / "small")
    )
    assert small == whole and len(small) > 1


def test_the_copy_is_small_and_names_no_machine(runs, tmp_path):
    record = runs / "coco100_unfrozen/seed0/provenance.json"
    text = json.loads(record.read_text())
    text["sessions"][0]["command"] = "/home/me/fzmm/tools/train.py --work-dir=/data/a b.py"
    record.write_text(json.dumps(text))
    for _ in range(2):  # a second copy replaces the first and is the same
        run("archive", runs, "--out", tmp_path / "small")
        files = sorted(path for path in (tmp_path / "small").rglob("*") if path.is_file())
        contents = [path.read_bytes() for path in files]
    assert contents == [path.read_bytes() for path in files]
    assert {path.name for path in files} == {
        "provenance.json",
        "scalars.json.gz",
        "config.py.gz",
    }
    before = sum(path.stat().st_size for path in runs.rglob("*") if path.is_file())
    assert sum(map(len, contents)) < before / 4
    copy = tmp_path / "small/coco100_unfrozen/seed0"
    session = json.loads((copy / "provenance.json").read_text())["sessions"][0]
    assert "hostname" not in session
    assert session["command"] == "train.py --work-dir=a b.py"
    log = next(copy.rglob("scalars.json.gz"))
    original = next((runs / "coco100_unfrozen/seed0").rglob("scalars.json"))
    assert gzip.decompress(log.read_bytes()) == original.read_bytes()


def test_what_cannot_be_copied_is_told(runs, tmp_path):
    done = run("archive", tmp_path / "none", "--out", tmp_path / "small")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    done = run("archive", runs, "--out", runs)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "that is where the runs are" in done.stderr
    cut = tmp_path / "small"
    run("archive", runs, "--out", cut)
    log = next(cut.rglob("scalars.json.gz"))
    log.write_bytes(log.read_bytes()[:50])
    done = run("summarise", cut)
    assert done.returncode == 0 and "damaged or cut off" in done.stderr


def test_a_run_that_has_not_ended_alone_is_refused(tmp_path):
    from fzmm.analysis.reading.archive import archive_runs

    synthetic.write_run(tmp_path / "runs", until=100_000)
    with pytest.raises(UserError, match="no finished run to copy: .*not finished"):
        archive_runs([tmp_path / "runs"], tmp_path / "small", [])


def test_times_that_say_nothing_are_left_out(tmp_path):
    for frozen in (0, 5):
        synthetic.write_run(tmp_path / "runs", trainable=frozen)
    killed = synthetic.write_run(tmp_path / "runs", "coco50", until=100_000)
    reason = "two trainings shared the GPU"
    small = tmp_path / "small"
    done = run("archive", tmp_path / "runs", "--out", small, "--no-times", reason, "--unfinished")
    assert done.stdout.startswith("3 runs copied")
    assert (small / killed.relative_to(tmp_path / "runs")).is_dir()
    report = run("report", small, "--out", tmp_path / "report")
    assert report.returncode == 0, report.stderr
    rows = list(csv.DictReader((tmp_path / "report/runs.csv").read_text().splitlines()))
    assert [row["training_seconds"] for row in rows] == [""] * 3
    assert all(reason in row["notes"] for row in rows)
    saved = json.loads(run("recommend", small, "--json").stdout)
    assert "time_vs_unfrozen" in str(saved)
