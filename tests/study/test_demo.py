"""``make demo`` in the small: it ends with a report, and a second call has nothing left to do."""

import sys

import pytest

from fzmm.errors import UserError
from fzmm.toy.demo import run_demo


@pytest.mark.parametrize("wrong", [dict(budget=float("nan")), dict(images=(0, 4))])
def test_wrong_options_are_told_before_anything_is_painted(wrong, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="--budget nan|--images 0 4"):
        run_demo(**wrong)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_demo(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", ":".join(filter(None, sys.path)))
    small = dict(images=(24, 4), budget=0.02)
    page = run_demo(**small)
    assert page.name == "index.html" and "toy25" in page.read_text()
    assert len(list((tmp_path / "work_dirs" / "demo").glob("toy*/seed0/provenance.json"))) == 6
    assert f"open {page}" in capfd.readouterr().out
    trained = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pth")}
    run_demo(**small)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pth")} == trained
    assert "6 of 6 runs are finished" in capfd.readouterr().out
