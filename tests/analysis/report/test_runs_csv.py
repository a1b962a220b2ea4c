import csv
import io
import json

import pytest

from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.report.runs_csv import runs_csv
from tests.analysis import synthetic


def row_with(folder, command):
    run = synthetic.write_run(folder, "coco50", 3)
    path = run / "provenance.json"
    record = json.loads(path.read_text())
    record["sessions"][0]["command"] = command
    path.write_text(json.dumps(record))
    (row,) = csv.DictReader(io.StringIO(runs_csv(read_runs(folder)).decode(), newline=""))
    return row


@pytest.mark.parametrize("command", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)"])
def test_formulas_stay_text(tmp_path, command):
    assert row_with(tmp_path, command)["command"] == f"'{command}"


@pytest.mark.parametrize("command", ["-5", "+1e3", "tools/train.py x=1", 'a, "b" \''])
def test_numbers_and_plain_text_stay_as_they_are(tmp_path, command):
    assert row_with(tmp_path, command)["command"] == command


@pytest.mark.parametrize("control", ["\x1b[2J", "\r\n", "\x07", "\ud800"])
def test_control_characters_are_written_as_escapes(tmp_path, control):
    written = row_with(tmp_path, f"a{control}b")["command"]
    assert written.isprintable() and written.startswith("a\\") and written.endswith("b")
