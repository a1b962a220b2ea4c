import json
import os
import shutil

import numpy as np
import pytest

from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.statistics.cohorts import is_complete
from fzmm.errors import UserError
from tests.analysis import synthetic


def eval_line(step, value):
    return json.dumps({"coco/bbox_mAP": value, "time": 0.1, "step": step}) + "\n"


def train_line(step, **more):
    row = {"lr": 0.01, "loss": 1.0, "time": 0.3, "data_time": 0.1, "iter": step, "step": step}
    return json.dumps(row | more) + "\n"


def bare_run(folder, text, stamp="20260101_000000", config=None):
    data = folder / stamp / "vis_data"
    data.mkdir(parents=True)
    (data / "scalars.json").write_text(text)
    if config is not None:
        (data / "config.py").write_text(config)
    return folder


def test_what_config_and_provenance_say(tmp_path):
    synthetic.write_run(tmp_path, "coco50", 2, seed=7)
    (run,) = read_runs(tmp_path)
    assert (run.name, run.config) == ("coco50_frozen2/seed7", "coco50_frozen2")
    assert (run.dataset, run.data_amount, run.fraction) == ("coco", "coco50", 0.5)
    assert (run.frozen_stages, run.trainable, run.scenario) == (2, 2, "frozen2")
    assert run.model == "FasterRCNN ResNet-50 FPN"
    assert run.initialisation == "torchvision://resnet50" and not run.from_scratch
    assert run.schedule.milestones == run.milestones == (234_528, 322_476)
    assert run.schedule.world_size == 4 and run.max_iterations == 381_108
    assert run.train.images == 59_144 and len(run.train.sha256) == 64
    assert run.metric == "coco/bbox_mAP" and run.finished is True
    assert run.trainable_parameters == 27_400_000
    assert run.starts[0]["versions"]["torch"] == "2.13.0"
    assert run.notes == []


def test_unknown_is_unknown(tmp_path):
    bare_run(tmp_path / "mine", train_line(50) + eval_line(50, 0.2))
    (run,) = read_runs(tmp_path)
    assert run.name == "mine"
    for name in (
        "config",
        "dataset",
        "data_amount",
        "fraction",
        "model",
        "frozen_stages",
        "seed",
        "initialisation",
        "finished",
        "max_iterations",
        "trainable",
        "scenario",
        "trainable_parameters",
        "peak_memory_mb",
    ):
        assert getattr(run, name) is None, name
    assert str(run.schedule) == "unknown schedule" and run.train.identity is None


def test_config_without_provenance(tmp_path):
    synthetic.write_run(tmp_path, "coco50", 0, provenance=False)
    (run,) = read_runs(tmp_path)
    assert run.train.ann_file == "data/coco/annotations/coco50.json" and run.train.sha256 is None
    assert run.config == "coco50_frozen4" and run.seed == 0 and run.finished is True
    assert run.peak_memory_mb == 3000  # of the log
    assert run.schedule.world_size is None


def test_wrappers_of_datasets_and_old_initialisation(tmp_path):
    config = (
        "model = dict(type='RetinaNet', pretrained='x.pth', backbone=dict(type='mmdet.ResNet'))\n"
        "train_dataloader = dict(dataset=dict(type='RepeatDataset', dataset=dict(type="
        "'ConcatDataset', datasets=[dict(ann_file='a.json', data_root='d'), "
        "dict(ann_file='/b.json', data_root='d')])))\n"
        "train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=12)\n"
        "param_scheduler = dict(type='CosineAnnealingLR', T_max=12)\n"
    )
    bare_run(tmp_path, train_line(1, epoch=1) + train_line(3, epoch=2), config=config)
    (run,) = read_runs(tmp_path)
    assert run.train.ann_file == "d/a.json + /b.json"
    assert run.initialisation == "x.pth" and run.model == "RetinaNet ResNet"
    assert str(run.schedule) == "12 epochs, CosineAnnealingLR" and run.max_iterations == 24


@pytest.mark.parametrize(
    "record",
    ["{", "[]", '"x"', "\x00\xff", "[" * 10_000],
)
def test_broken_provenance_is_a_note(tmp_path, record):
    folder = synthetic.write_run(tmp_path, "coco50", 0)
    (folder / "provenance.json").write_text(record)
    notes = []
    (run,) = read_runs(tmp_path, notes)
    assert run.seed == 0 and len(notes) == 1 and "provenance.json" in notes[0]


def test_provenance_with_values_of_the_wrong_kind(tmp_path):
    folder = synthetic.write_run(tmp_path, "coco50", 0)
    (folder / "provenance.json").write_text(
        json.dumps(
            {
                "config": 3,
                "frozen_stages": "two",
                "seed": [1],
                "study": {"fraction": -1, "dataset": {}},
                "train": {"images": "many", "sha256": 5},
                "val": [],
                "parameters": 7,
                "finished": "yes",
                "peak_memory_mb": float("nan"),
                "sessions": [None, 3, {"world_size": "x", "devices": 1}],
                "stop_reason": 1,
            }
        )
    )
    (run,) = read_runs(tmp_path)
    assert (run.frozen_stages, run.seed, run.fraction) == (4, 0, 0.5)
    assert run.train.images is None and run.finished is True and run.stop_reason is None


def test_resumed_run_is_one_run(tmp_path):
    config = (
        "train_cfg = dict(type='IterBasedTrainLoop', max_iters=200)\nrandomness = dict(seed=1)\n"
    )
    bare_run(
        tmp_path / "r",
        train_line(50) + train_line(100) + eval_line(100, 0.5),
        "20260101_000000",
        config,
    )
    bare_run(
        tmp_path / "r",
        train_line(100) + eval_line(100, 0.1) + train_line(200) + eval_line(200, 0.2),
        "20260102_000000",
        config,
    )
    (run,) = read_runs(tmp_path)
    assert run.log.steps.tolist() == [50, 100, 200]
    assert run.curve()[1].tolist() == [0.1, 0.2] and run.finished is True


def test_begun_again_after_the_end_is_another_run(tmp_path):
    config = "train_cfg = dict(type='IterBasedTrainLoop', max_iters=100)\n"
    for day, value in (("01", 0.1), ("02", 0.2)):
        bare_run(
            tmp_path / "r",
            train_line(50) + train_line(100) + eval_line(100, value),
            f"202601{day}_000000",
            config,
        )
    runs = read_runs(tmp_path)
    assert [run.curve()[1].tolist() for run in runs] == [[0.1], [0.2]]
    assert len({run.name for run in runs}) == 2


def test_another_scenario_in_the_same_folder_is_another_run(tmp_path):
    for day, frozen in (("01", 1), ("02", 2)):
        bare_run(
            tmp_path / "r",
            train_line(50) + eval_line(50, 0.1 * frozen),
            f"202601{day}_000000",
            f"model = dict(type='X', backbone=dict(type='ResNet', frozen_stages={frozen}))\n",
        )
    runs = read_runs(tmp_path)
    assert [run.frozen_stages for run in runs] == [1, 2]
    assert all("several trainings" in " ".join(run.notes) for run in runs)


def test_killed_run_is_unfinished(tmp_path):
    synthetic.write_run(tmp_path, "coco50", 0, until=100_000)
    (run,) = read_runs(tmp_path)
    assert run.finished is False
    assert run.notes == ["unfinished: iteration 100,000 of 381,108"]


def test_runs_of_one_name_are_told_apart(tmp_path):
    for place in ("a", "b"):
        synthetic.write_run(tmp_path / place, "coco50", 0, shift=0.1 * (place == "b"))
    notes = []
    runs = read_runs([tmp_path / "a", tmp_path / "b"], notes)
    assert len({run.name for run in runs}) == 2
    assert notes == ["2 runs are named coco50_frozen4/seed0; they are told apart by their folders"]


def test_a_copy_is_not_a_repeat(tmp_path):
    folder = synthetic.write_run(tmp_path / "a", "coco50", 0)
    shutil.copytree(folder, tmp_path / "b" / "seed0")
    notes = []
    assert len(read_runs(tmp_path, notes)) == 1
    assert len(notes) == 1 and "a copy is not a repeat" in notes[0]


def test_the_same_folder_named_twice_counts_once(tmp_path, monkeypatch):
    synthetic.write_run(tmp_path / "work", "coco50", 0)
    monkeypatch.chdir(tmp_path)
    notes = []
    runs = read_runs(["work", tmp_path / "work", "work/coco50_frozen4", "./work"], notes)
    assert len(runs) == 1 and notes == []


def test_other_things_in_the_folder(tmp_path):
    folder = synthetic.write_run(tmp_path, "coco50", 0)
    (folder / "annotations.json").write_text('{"images": [], "annotations": [], "categories": []}')
    (folder / "notes.json").write_text("not JSON")
    (folder / "iter_1.pth").write_bytes(b"\x80\x02")
    # what tools/test.py leaves: a result, and a vis_data folder without a log
    test = folder / "20260505_000000"
    (test / "vis_data").mkdir(parents=True)
    (test / "20260505_000000.json").write_text('{"coco/bbox_mAP": 0.9, "data_time": 1, "step": 0}')
    (test / "vis_data" / "config.py").write_text("a = 1\n")
    (tmp_path / ".hidden").mkdir()
    notes = []
    (run,) = read_runs(tmp_path, notes)
    assert notes == [] and run.curve()[1].max() < 0.5


def test_run_that_has_only_begun_is_a_note(tmp_path):
    synthetic.write_run(tmp_path, "coco50", 0)
    (tmp_path / "coco50_frozen3" / "seed0").mkdir(parents=True)
    (tmp_path / "coco50_frozen3" / "seed0" / "provenance.json").write_text("{}")
    notes = []
    assert len(read_runs(tmp_path, notes)) == 1
    (note,) = notes
    assert note.endswith("coco50_frozen3/seed0: has not logged anything yet")


def test_loose_log_file(tmp_path):
    path = tmp_path / "downloaded.json"
    path.write_text(train_line(50) + eval_line(50, 0.3))
    for paths in (path, tmp_path):
        (run,) = read_runs(paths)
        assert run.name == "downloaded.json" and run.metric == "coco/bbox_mAP"


def test_broken_copy_of_the_log_is_replaced_by_the_other(tmp_path):
    folder = synthetic.write_run(tmp_path, "coco50", 0)
    next(folder.rglob("scalars.json")).write_bytes(b"\x00" * 100)
    (run,) = read_runs(tmp_path)
    assert run.finished is True


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 500])
def test_broken_log_does_not_stop_the_others(tmp_path, content):
    synthetic.write_run(tmp_path, "coco50", 0)
    bad = synthetic.write_run(tmp_path, "coco50", 1)
    for path in bad.rglob("*.json"):
        path.write_bytes(content)
    notes = []
    (run,) = read_runs(tmp_path, notes)
    assert run.trainable == 0
    assert any("coco50_frozen3" in note for note in notes)


def test_no_validation_and_nan(tmp_path):
    bare_run(tmp_path / "none", train_line(50))
    bare_run(tmp_path / "nan", train_line(50) + eval_line(50, float("nan")) + eval_line(60, 0.2))
    nan, none = read_runs(tmp_path)
    assert none.metric is None and "no validation result in the log" in none.notes
    assert nan.curve()[1].tolist() == [0.2]
    assert "1 of 2 evaluations are not a number" in nan.notes


def test_several_metrics(tmp_path):
    row = {"coco/segm_mAP": 0.1, "coco/bbox_mAP": 0.2, "train_split/bbox_mAP": 0.3, "step": 50}
    bare_run(tmp_path, train_line(50) + json.dumps(row) + "\n")
    (run,) = read_runs(tmp_path)
    assert run.metric == "coco/bbox_mAP"
    assert run.curve("train_split/bbox_mAP")[1].tolist() == [0.3]


def test_metric_of_another_evaluator(tmp_path):
    bare_run(
        tmp_path, train_line(50) + '{"pascal_voc/mAP": 0.7, "pascal_voc/AP50": 0.8, "step": 50}\n'
    )
    (run,) = read_runs(tmp_path)
    assert run.metric == "pascal_voc/mAP" and np.allclose(run.curve()[1], 0.7)


def test_decays_from_the_learning_rate(tmp_path):
    rows = [train_line(step, lr=0.01 if step <= 150 else 0.001) for step in range(50, 301, 50)]
    rows.insert(3, eval_line(170, 0.1))
    bare_run(tmp_path, "".join(rows))
    (run,) = read_runs(tmp_path)
    assert run.milestones == (170,)


@pytest.mark.parametrize(("name", "says"), [("none", "no such file"), ("empty", "no log")])
def test_no_run_at_all(tmp_path, name, says):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=says) as error:
        read_runs(tmp_path / name)
    assert "\n" not in str(error.value) and name in str(error.value)


def test_one_seed_counts_once(tmp_path):
    for place, shift, until in (("a", 0.0, 200_000), ("b", 0.1, None), ("c", 0.2, None)):
        synthetic.write_run(tmp_path / place, "coco50", 0, shift=shift, until=until)
    runs = read_runs(tmp_path)
    assert [run.duplicate_of is None for run in runs] == [False, True, False]
    assert runs[0].duplicate_of == runs[1].name and is_complete(runs[1])
    assert not is_complete(runs[2]) and "left out of every mean" in runs[2].notes[-1]


def test_a_copy_that_lacks_a_row_is_no_repeat(tmp_path):
    folder = synthetic.write_run(tmp_path / "a", "coco50", 0)
    copy = tmp_path / "b" / "seed0"
    shutil.copytree(folder, copy)
    for log in copy.rglob("vis_data/*.json"):
        log.write_text("".join(log.read_text().splitlines(keepends=True)[1:]))
    assert sum(is_complete(run) for run in read_runs(tmp_path)) == 1


def test_a_copy_that_claims_another_seed_is_no_repeat(tmp_path):
    folder = synthetic.write_run(tmp_path / "a", "coco50", 0)
    shutil.copytree(folder, tmp_path / "b" / "seed1")
    record = json.loads((tmp_path / "b" / "seed1" / "provenance.json").read_text())
    (tmp_path / "b" / "seed1" / "provenance.json").write_text(json.dumps(record | {"seed": 1}))
    notes = []
    assert len(read_runs(tmp_path, notes)) == 1 and "a copy is not a repeat" in notes[0]


def test_no_object_at_all_is_no_result(tmp_path):
    bare_run(tmp_path / "a", train_line(50) + eval_line(50, -1.0) + eval_line(60, -1))
    (run,) = read_runs(tmp_path)
    assert run.metric is None and "no validation result in the log" in run.notes


def test_map_in_percent_becomes_a_fraction(tmp_path):
    bare_run(tmp_path / "a", train_line(50) + eval_line(50, 37.5) + eval_line(60, -1))
    (run,) = read_runs(tmp_path)
    assert run.curve()[1].tolist() == [0.375]
    assert "coco/bbox_mAP is logged in percent and read as such" in run.notes


@pytest.mark.parametrize("value", ["true", "NaN", '"0.3"', "[]", "1" * 5000])
def test_an_evaluation_that_is_no_number_does_not_count(tmp_path, value):
    line = f'{{"coco/bbox_mAP": {value}, "time": 0.1, "step": 60}}\n'
    bare_run(tmp_path / "a", train_line(50) + eval_line(50, 0.2) + line)
    (run,) = read_runs(tmp_path)
    assert run.curve()[1].tolist() == [0.2]


@pytest.mark.parametrize("name", ["provenance.json", "log.json", "config.py"])
def test_pipes_are_not_waited_for(tmp_path, name):
    folder = synthetic.write_run(tmp_path, "coco50", 0)
    place = {"config.py": folder / "20260101_000000" / "vis_data" / name}.get(name, folder / name)
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    (run,) = read_runs(tmp_path, [])
    assert run.metric == "coco/bbox_mAP"


def test_deep_nesting_marks_one_run_only(tmp_path):
    synthetic.write_run(tmp_path, "coco50", 0)
    bad = synthetic.write_run(tmp_path, "coco50", 1)
    for path in bad.rglob("vis_data/*.json"):
        path.write_text('{"step": ' + "[" * 100_000 + "\n")
    (bad / "provenance.json").write_text('{"a": ' * 100_000)
    notes = []
    (run,) = read_runs(tmp_path, notes)
    assert run.trainable == 0 and any("coco50_frozen3" in note for note in notes)


def test_a_backbone_that_counts_otherwise_is_read_as_its_study_says(tmp_path):
    config = (
        "model = dict(type='RetinaNet', backbone=dict(type='MobileNetV2', frozen_stages={}))\n"
        "study = dict(data_amount='all', dataset='steel', stages=8, trainable_stages={})\n"
    )
    for frozen, trainable in ((-1, 8), (6, 1)):
        rows = train_line(50) + eval_line(50, 0.2 + frozen / 100)
        bare_run(tmp_path / f"r{frozen}", rows, config=config.format(frozen, trainable))
    runs = read_runs(tmp_path)
    assert [(run.trainable, run.frozen_stages) for run in runs] == [(8, -1), (1, 6)]
    assert [(run.scenario, run.unfrozen) for run in runs] == [
        ("unfrozen", True),
        ("frozen6", False),
    ]
