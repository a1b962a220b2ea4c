import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.analysis import synthetic
from tests.analysis.reading.test_mmengine_log import EPOCHS, STEP_0

TOOL = Path(__file__).parents[2] / "tools" / "analyze_logs.py"


def run(*arguments, **more):
    return subprocess.run(
        [sys.executable, str(TOOL), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        **more,
    )


@pytest.fixture
def logs(tmp_path):
    (tmp_path / "epochs.json").write_text(EPOCHS)
    (tmp_path / "iterations.json").write_text(
        "".join(
            json.dumps(row) + "\n"
            for row in [
                {"lr": 0.1, "loss": 2.0, "time": 0.9, "data_time": 0.1, "iter": 50, "step": 50},
                {"lr": 0.1, "loss": 1.5, "time": 0.4, "data_time": 0.1, "iter": 100, "step": 100},
                {"coco/bbox_mAP": 0.1, "train_split/bbox_mAP": 0.2, "step": 100},
                {"lr": 0.1, "loss": 1.0, "time": 0.6, "data_time": 0.1, "iter": 150, "step": 150},
                {"lr": 0.1, "loss": 0.9, "time": 0.5, "data_time": 0.1, "iter": 200, "step": 200},
                {"coco/bbox_mAP": 0.2, "train_split/bbox_mAP": 0.4, "step": 200},
            ]
        )
    )
    (tmp_path / "step0.json").write_text(STEP_0)
    return tmp_path


def test_help_loads_no_heavy_library():
    code = (
        "import sys; sys.argv = ['x', '--help']\n"
        "from fzmm.commands.analyze_logs import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'matplotlib', 'scipy', 'pandas', 'numpy', 'mmengine'}\n"
        "print('heavy:', heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "heavy: set()" in done.stdout and "recommend" in done.stdout


def test_the_analysis_needs_no_torch(tmp_path):
    synthetic.write_run(tmp_path / "runs", "coco50", 3)
    code = (
        "import sys\nfor name in ('torch', 'mmengine', 'mmdet', 'mmcv'):\n"
        "    sys.modules[name] = None\n"
        "from fzmm.commands.analyze_logs import main\n"
        f"main(['report', {str(tmp_path / 'runs')!r}, '--out', {str(tmp_path / 'out')!r}])"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert (tmp_path / "out" / "index.html").exists()


@pytest.mark.parametrize("name", ["epochs", "iterations", "step0"])
def test_plot_curve(logs, name):
    out = logs / "curve.png"
    done = run(
        "plot_curve",
        logs / f"{name}.json",
        "--keys",
        "bbox_mAP",
        "loss",
        "--out",
        out,
        "--title",
        "a $title",
        "--legend",
        "_first",
        "second",
    )
    assert done.returncode == 0, done.stderr
    assert f"plot curve of {logs / name}.json, metric is bbox_mAP" in done.stdout
    assert f"save curve to: {out}" in done.stdout
    assert out.read_bytes().startswith(b"\x89PNG")


def test_plot_curve_as_in_the_readme(logs):
    out = logs / "curve.svg"
    log = logs / "iterations.json"
    done = run("plot_curve", log, "--keys", "coco/bbox_mAP", "train_split/bbox_mAP", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "<svg" in out.read_text()


def test_cal_train_time_by_epoch(logs):
    done = run("cal_train_time", logs / "epochs.json", "--include-outliers")
    assert done.returncode == 0, done.stderr
    # epoch 1: (0.002 + 0.0005 + 0.0008) / 3; epoch 2: (0.0005 + 0.0003) / 2
    assert "slowest epoch 1, average time is 0.0011 s/iter" in done.stdout
    assert "fastest epoch 2, average time is 0.0004 s/iter" in done.stdout
    assert f"-----Analyze train time of {logs / 'epochs.json'}-----" in done.stdout


def test_cal_train_time_by_iteration(logs):
    done = run("cal_train_time", logs / "iterations.json")
    assert done.returncode == 0, done.stderr
    # without the first value of each stretch between evaluations: 0.4 and 0.5
    assert "slowest interval 2 (iterations 101-200), average time is 0.5000 s/iter" in done.stdout
    assert "fastest interval 1 (iterations 1-100), average time is 0.4000 s/iter" in done.stdout
    assert "time std over intervals is 0.0500" in done.stdout
    assert "average iter time: 0.4500 s/iter" in done.stdout
    assert "training time without data loading: 100 s" in done.stdout  # 50 x (.8 + .3 + .5 + .4)


def test_single_log_reads_the_config_beside_it(tmp_path):
    rows = [{"coco/bbox_mAP": 0.1, "step": 0}]  # as an iteration-based loop logs it by default
    for step in (10, 20):
        rows.append({"lr": 0.1, "time": step / 100, "data_time": 0.0, "iter": step, "step": step})
    rows += [{"coco/bbox_mAP": 0.2, "step": 0}]
    (tmp_path / "log.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "config.py").write_text(
        "train_cfg = dict(type='IterBasedTrainLoop', val_interval=8)\n"
    )
    done = run("cal_train_time", tmp_path / "log.json")
    assert "(iterations 9-24)" in done.stdout, done.stderr


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    root = tmp_path_factory.mktemp("three")
    for k in (0, 3, 5):
        synthetic.write_run(root, "coco50", k)
    return root


def test_report(three, tmp_path):
    done = run("report", three, "--out", tmp_path / "deep" / "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"report: {tmp_path / 'deep' / 'out' / 'index.html'}\n"
    assert {path.name for path in (tmp_path / "deep" / "out").iterdir()} == {
        "index.html",
        "runs.csv",
        "summary.json",
        "figures",
    }


def test_recommend(three):
    done = run("recommend", three)
    assert done.returncode == 0, done.stderr
    assert "1 (frozen1)" in done.stdout and "noise unknown" in done.stdout
    assert "Cannot be told from one data amount" in done.stdout
    assert re.search(
        r"3 of 5 .* 241,857 \(63%\) +241,857 to 241,857 +2\.3 pp +0\.0 pp", done.stdout
    )
    data = json.loads(run("recommend", three, "--json", "--margin-pp", "10").stdout)
    (item,) = data["cohorts"][0]["recommendations"]
    assert item["frozen_stages"] == 4 and item["tolerance"] == 0.1
    assert data["cohorts"][0]["learning_curve"] is None


def test_summarise(three):
    done = run("summarise", three)
    lines = done.stdout.splitlines()
    assert len(lines) == 5 and all(line.count("|") == lines[0].count("|") for line in lines)
    assert "| coco50_frozen1/seed0 | coco50 | 3 (frozen1) | 0 | 31.8 |" in done.stdout


def bad(command, *arguments):
    done = run(command, *arguments)
    assert done.returncode == 2, (done.stdout, done.stderr)
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize("command", ["report", "recommend", "summarise"])
def test_no_run(tmp_path, command):
    (tmp_path / "empty").mkdir()
    more = ["--out", tmp_path / "out"] if command == "report" else []
    assert "no log" in bad(command, tmp_path / "empty", *more)
    assert "no such file" in bad(command, tmp_path / "none", *more)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["plot_curve", "cal_train_time"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff rubbish", b"[]", None])
def test_bad_logs(tmp_path, command, content):
    path = tmp_path / "log.json"
    if content is not None:
        path.write_bytes(content)
    assert "log.json" in bad(command, path)


def test_bad_arguments(logs, three):
    log = logs / "iterations.json"
    assert "no key 'nothing'" in bad("plot_curve", log, "--keys", "nothing")
    assert "--legend" in bad("plot_curve", log, "--legend", "a", "b")
    assert "no figure format" in bad("plot_curve", log, "--out", logs / "x.doc")
    assert "does not exist" in bad("plot_curve", log, "--out", logs / "no" / "x.png")
    assert "--style" in bad("plot_curve", log, "--style", "nothing", "--out", logs / "x.png")
    assert "--start-epoch" in bad("plot_curve", log, "--start-epoch", "x")
    assert "--margin-pp" in bad("recommend", three, "--margin-pp", "-1")
    assert "--margin-pp" in bad("recommend", three, "--margin-pp", "nan")


def test_names_command_no_terminal(three, tmp_path):
    folder = synthetic.write_run(tmp_path / "runs", "coco50", 3)
    path = folder / "provenance.json"
    record = json.loads(path.read_text())
    record["study"]["data_amount"] = record["stop_reason"] = "\x1b[2J\x1b]0;owned\x07"
    path.write_text(json.dumps(record))
    for command in ("summarise", "recommend"):
        done = run(command, tmp_path / "runs", three)
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout and "\x07" not in done.stdout


def test_json_keeps_any_name(tmp_path):
    name = "a\xa0b\x9b31m\u200d\x1b"
    for k in (3, 5):
        path = synthetic.write_run(tmp_path, "coco50", k) / "provenance.json"
        record = json.loads(path.read_text())
        record["study"]["data_amount"] = name
        path.write_text(json.dumps(record))
    done = run("recommend", tmp_path, "--json")
    (item,) = json.loads(done.stdout)["cohorts"][0]["recommendations"]
    assert item["data_amount"] == name
    assert "\x9b" not in done.stdout and "\x1b" not in done.stdout
