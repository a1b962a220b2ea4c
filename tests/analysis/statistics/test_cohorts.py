from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.statistics.cohorts import cohorts, is_complete, size_name, training_set_of
from tests.analysis import synthetic


def test_schedules_datasets_and_scratch_are_kept_apart(tmp_path):
    synthetic.write_run(tmp_path / "a", "coco50", 3)
    synthetic.write_run(tmp_path / "b", "coco50", 3, length=38_110, milestones=(23_452, 32_247))
    synthetic.write_run(tmp_path / "c", "coco50", 3, dataset="other")
    synthetic.write_run(tmp_path / "d", "coco50", 5, pretrained=False)
    found = cohorts(read_runs(tmp_path))
    assert sorted(len(cohort.runs) for cohort in found) == [1, 1, 1, 1]
    assert len({cohort.label for cohort in found}) == 4


def test_subsets_of_one_size_are_not_repeats(tmp_path):
    for name in ("coco25-1", "coco25-2", "coco50"):
        synthetic.write_run(tmp_path, name, 3)
    (cohort,) = cohorts(read_runs(tmp_path))
    assert [amount.name for amount in cohort.amounts] == ["coco50", "coco25-1", "coco25-2"]
    assert [len(level) for level in cohort.levels] == [1, 2]
    assert all(len(cohort.cell(amount, 3)) == 1 for amount in cohort.amounts)
    assert [amount.name for amount in cohort.main_amounts] == ["coco50", "coco25-1"]
    assert [size_name(amount) for amount in cohort.main_amounts] == ["50%", "25%"]


def test_one_name_for_two_files_is_two_amounts(tmp_path):
    synthetic.write_run(tmp_path / "a", "coco50", 3)
    synthetic.write_run(tmp_path / "b", "coco50", 3, sha256="ab" * 32, seed=1)
    (cohort,) = cohorts(read_runs(tmp_path))
    names = [cohort.name(amount) for amount in cohort.amounts]
    assert len(set(names)) == 2 and "coco50 (abababab)" in names


def test_unfinished_runs_do_not_count(tmp_path):
    synthetic.write_run(tmp_path, "coco50", 3, 0)
    synthetic.write_run(tmp_path, "coco50", 3, 1, until=90_000)
    (cohort,) = cohorts(read_runs(tmp_path))
    amount = cohort.amounts[0]
    assert [run.seed for run in cohort.cell(amount, 3)] == [0]
    assert len(cohort.cell(amount, 3, finished=False)) == 2
    assert [is_complete(run) for run in cohort.runs] == [True, False]


def test_runs_that_tell_nothing_are_compared_with_nothing(tmp_path):
    for name in ("x", "y"):
        data = tmp_path / name / "20260101_000000" / "vis_data"
        data.mkdir(parents=True)
        (data / "scalars.json").write_text(
            f'{{"loss": 1, "step": 5}}\n{{"coco/bbox_mAP": 0.{len(name)}, "step": 5, "m": 1}}\n'
            f'{{"loss": {ord(name)}, "step": 6}}\n'
        )
    found = cohorts(read_runs(tmp_path))
    assert [len(cohort.runs) for cohort in found] == [1, 1]
    assert training_set_of(found[0].runs[0]).name == "unknown data"
