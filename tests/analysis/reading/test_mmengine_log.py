import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fzmm.analysis.reading.log import merge_starts
from fzmm.analysis.reading.log_lines import looks_like_log
from fzmm.analysis.reading.mmengine_log import read_log
from fzmm.errors import UserError

# Rows as MMEngine 0.10 writes them, from real trainings of 12 and 10 iterations an epoch.
EPOCHS = """\
{"lr": 0.1, "data_time": 0.001, "loss": 0.288, "acc": 1.0, "time": 0.002, "epoch": 1, "iter": 4, "step": 4}
{"lr": 0.1, "data_time": 0.0002, "loss": 0.17, "acc": 1.0, "time": 0.0005, "epoch": 1, "iter": 8, "step": 8}
{"lr": 0.1, "data_time": 0.0005, "loss": 0.011, "acc": 1.0, "time": 0.0008, "epoch": 1, "iter": 12, "step": 12}
{"coco/bbox_mAP": 0.1, "coco/bbox_mAP_50": 0.2, "data_time": 0.0005, "time": 0.0006, "step": 1}
{"lr": 0.1, "data_time": 0.0001, "loss": 0.0024, "acc": 1.0, "time": 0.0005, "epoch": 2, "iter": 16, "step": 16}
{"lr": 0.1, "data_time": 0.0001, "loss": 0.0007, "acc": 1.0, "time": 0.0003, "epoch": 2, "iter": 20, "step": 20}
{"coco/bbox_mAP": 0.3, "coco/bbox_mAP_50": 0.2, "data_time": 9.9e-05, "time": 0.0001, "step": 2}
"""  # noqa: E501
STEP_0 = """\
{"lr": 0.1, "data_time": 0.0005, "loss": 0.24, "acc": 1.0, "time": 0.0012, "iter": 4, "step": 4}
{"lr": 0.1, "data_time": 0.0002, "loss": 0.03, "acc": 1.0, "time": 0.0009, "iter": 8, "step": 8}
{"coco/bbox_mAP": 0.1, "coco/bbox_mAP_50": 0.2, "data_time": 7.9e-05, "time": 0.0001, "step": 0}
{"lr": 0.01, "data_time": 0.0002, "loss": 0.008, "acc": 1.0, "time": 0.0005, "iter": 12, "step": 12}
{"lr": 0.01, "data_time": 0.5005, "loss": 0.009, "acc": 1.0, "time": 0.5014, "iter": 16, "step": 16}
{"lr": 0.01, "data_time": 0.0004, "loss": 0.006, "acc": 1.0, "time": 0.0009, "iter": 20, "step": 20}
{"coco/bbox_mAP": 0.2, "coco/bbox_mAP_50": 0.2, "data_time": 0.0001, "time": 0.0002, "step": 0}
"""


def written(tmp_path, text, name="scalars.json"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def train_row(step, **more):
    return {
        "lr": 0.01,
        "loss": 1.0,
        "time": 0.3,
        "data_time": 0.1,
        "iter": step,
        "step": step,
    } | more


def eval_row(step, value, key="coco/bbox_mAP"):
    return {key: value, "time": 0.1, "data_time": 0.0, "step": step}


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_epochs_become_iterations(tmp_path):
    log = read_log(written(tmp_path, EPOCHS))
    assert log.iterations_per_epoch == 12
    assert log.eval_epochs.tolist() == [1, 2]
    assert log.eval_steps.tolist() == [12, 24]
    assert log.evals["coco/bbox_mAP"].tolist() == [0.1, 0.3]
    assert log.steps.tolist() == [4, 8, 12, 16, 20]
    assert log.notes == []


def test_epochs_that_leave_their_last_rows_out(tmp_path):
    # 114 iterations an epoch, logged every 50: MMEngine's ignore_last drops 100..114
    rows = []
    for epoch in (1, 2, 3):
        for inner in (50, 100):
            rows.append(train_row((epoch - 1) * 114 + inner, epoch=epoch))
        rows.append(eval_row(epoch, epoch / 10))
    log = read_log(written(tmp_path, lines(*rows)))
    assert log.iterations_per_epoch == 114
    assert log.eval_steps.tolist() == [114, 228, 342]


def test_validation_rows_without_a_step(tmp_path):
    path = written(tmp_path, STEP_0)
    assert read_log(path, val_interval=10).eval_steps.tolist() == [10, 20]
    # without the interval the last training row before is all that is known
    log = read_log(path)
    assert log.eval_steps.tolist() == [8, 20]
    assert "the iteration of 1 evaluations is not logged" in log.notes[0]


def test_several_validation_rows_without_a_step_between_two_training_rows(tmp_path):
    # as a run of the toy study logs them: evaluated every 6 iterations, logged every 10
    rows = [
        eval_row(0, 0.1),
        train_row(10),
        eval_row(0, 0.2),
        eval_row(0, 0.3),
        train_row(20),
        eval_row(0, 0.4),
        train_row(30),
        eval_row(0, 0.5),
    ]
    path = written(tmp_path, lines(*rows))
    log = read_log(path, val_interval=6)
    assert log.eval_steps.tolist() == [6, 12, 18, 24, 30] and log.notes == []
    assert log.evals["coco/bbox_mAP"].tolist() == [0.1, 0.2, 0.3, 0.4, 0.5]
    unknown = read_log(path)
    assert len(unknown.eval_steps) == 5 and len(unknown.notes) > 0
    assert (np.diff(unknown.eval_steps) > 0).all()


def test_validation_row_before_the_first_training_row_of_a_resumed_start(tmp_path):
    path = written(tmp_path, lines(eval_row(0, 0.3), train_row(40)))
    assert read_log(path, val_interval=6).eval_steps.tolist() == [36]
    nothing_else = written(tmp_path, lines(eval_row(0, 0.3)))
    log = read_log(nothing_else, val_interval=6)
    assert len(log.eval_steps) == 0 and "left out" in log.notes[0]


def test_keys_with_hierarchy(tmp_path):
    rows = [
        {"train/lr": 0.1, "train/loss": 1.0, "train/time": 0.2, "iter": 4, "step": 4},
        {"val/coco/bbox_mAP": 0.2, "step": 4},
    ]
    log = read_log(written(tmp_path, lines(*rows)))
    assert log.train["loss"].tolist() == [1.0]
    assert log.evals["coco/bbox_mAP"].tolist() == [0.2]


def test_log_of_mmdetection_2(tmp_path):
    rows = [{"env_info": "x", "seed": 0}]
    for epoch in (1, 2):
        for inner in (50, 100):
            rows.append(
                {
                    "mode": "train",
                    "epoch": epoch,
                    "iter": inner,
                    "lr": 0.02,
                    "loss": 1.0,
                    "time": 0.4,
                    "data_time": 0.1,
                    "memory": 3800,
                }
            )
        rows.append(
            {"mode": "val", "epoch": epoch, "iter": 625, "lr": 0.02, "bbox_mAP": epoch / 10}
        )
    log = read_log(written(tmp_path, lines(*rows)))
    assert log.steps.tolist() == [50, 100, 150, 200]
    assert log.eval_steps.tolist() == [100, 200]
    assert log.evals["bbox_mAP"].tolist() == [0.1, 0.2]


def test_line_cut_off_by_a_kill(tmp_path):
    text = lines(train_row(50), eval_row(50, 0.1), train_row(100))
    log = read_log(written(tmp_path, text[:-20]))
    assert log.steps.tolist() == [50]
    assert log.notes == ["the last line of the log is cut off and left out"]


def test_rubbish_between_the_lines(tmp_path):
    text = (
        lines(train_row(50)).encode()
        + b"\x00\xff\xfe rubbish\n[1]\n"
        + lines(train_row(100)).encode()
    )
    log = read_log(written(tmp_path, text))
    assert log.steps.tolist() == [50, 100]
    assert log.notes == ["2 lines of the log are not JSON and left out"]


def test_nan_as_mmengine_writes_it(tmp_path):
    text = lines(train_row(50), train_row(100, loss=float("nan")), eval_row(100, float("nan")))
    assert "NaN" in text
    log = read_log(written(tmp_path, text))
    assert np.isnan(log.train["loss"][1]) and np.isnan(log.evals["coco/bbox_mAP"][0])
    assert log.notes == ["the loss is not a number at 1 rows, first at iteration 100"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (bytes(range(256)) * 40, "not a JSON-lines log"),
        (b'{"images": [], "annotations": [], "categories": []}', "no training or validation row"),
        (b"[1, 2, 3]\n", "not a JSON-lines log"),
        (b"[" * 100_000, "not a JSON-lines log"),
    ],
)
def test_no_log_at_all(tmp_path, content, says):
    with pytest.raises(UserError, match=says) as error:
        read_log(written(tmp_path, content))
    assert "scalars.json" in str(error.value) and "\n" not in str(error.value)


def test_values_of_the_wrong_kind(tmp_path):
    text = (
        lines(
            train_row(50, loss="high", memory=None),
            {"lr": 0.1, "loss": 1.0, "iter": 100, "step": "no"},
            eval_row(100, "0.5"),
            eval_row(200, True),
        )
        + '{"lr": 1'
        + "0" * 500
        + ', "step": 1'
        + "0" * 400
        + "}\n"
    )
    log = read_log(written(tmp_path, text))
    assert log.steps.tolist() == [0, 50, 100]
    assert np.isnan(log.evals["coco/bbox_mAP"]).all()


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_log(tmp_path / "none.json")


def test_rows_of_the_later_start_win(tmp_path):
    first = read_log(
        written(
            tmp_path,
            lines(
                train_row(50),
                train_row(100),
                eval_row(100, 0.1),
                train_row(150),
                eval_row(150, 0.9),
                train_row(200),
                eval_row(200, 0.9),
            ),
            "1.json",
        )
    )
    second = read_log(
        written(
            tmp_path,
            lines(
                train_row(150, loss=2.0),
                eval_row(150, 0.2),
                train_row(200, train_time=5.0),
            ),
            "2.json",
        )
    )
    third = read_log(written(tmp_path, lines(eval_row(200, 0.3), train_row(250)), "3.json"))
    log = merge_starts([first, second, third])
    assert log.steps.tolist() == [50, 100, 150, 250]
    assert log.train["loss"].tolist() == [1.0, 1.0, 2.0, 1.0]
    assert log.eval_steps.tolist() == [100, 150, 200]
    assert log.evals["coco/bbox_mAP"].tolist() == [0.1, 0.2, 0.3]


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.integers(1, 7),
)
def test_merging_leaves_one_row_for_each_iteration(resumes, interval):
    """However often a run is killed and resumed, its log is that of a run that was not."""
    import tempfile
    from pathlib import Path

    total = 12 * interval
    with tempfile.TemporaryDirectory() as folder:
        logs, begin = [], 0
        for i, length in enumerate([*resumes, 100]):
            steps = [s for s in range(interval, total + 1, interval) if begin < s <= begin + length]
            if steps:
                text = lines(*(train_row(step, loss=float(i)) for step in steps))
                logs.append(read_log(written(Path(folder), text, f"{i}.json")))
            # resumes from a checkpoint that lies before the last row
            begin = max(begin + length - 3, 0) // interval * interval
        if logs:
            merged = merge_starts(logs)
            expected = list(range(interval, merged.last_step + 1, interval))
            assert merged.steps.tolist() == expected


def test_what_looks_like_a_log(tmp_path):
    assert looks_like_log(written(tmp_path, EPOCHS))
    assert looks_like_log(written(tmp_path, '{"env_info": "x"}\n'))
    assert not looks_like_log(written(tmp_path, '{"images": []}'))
    assert not looks_like_log(written(tmp_path, b"\xff\x00" * 100))
    assert not looks_like_log(tmp_path / "none.json")
