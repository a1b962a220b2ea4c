import pytest

from fzmm.analysis.conclusions.recommendation import recommend
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.statistics.cohorts import cohorts
from tests.analysis import synthetic


def advice(root, tolerance=None):
    return recommend(cohorts(read_runs(root))[0], tolerance)


@pytest.fixture
def six(tmp_path):
    for k in range(6):
        synthetic.write_run(tmp_path, "coco50", k)  # 28.0 29.9 31.3 31.8 31.9 32.0
    return tmp_path


@pytest.mark.parametrize(
    ("tolerance", "trainable"), [(0.0, 5), (0.001, 4), (0.002, 3), (0.0071, 2), (0.5, 0)]
)
def test_fewest_stages_within_the_tolerance(six, tolerance, trainable):
    (item,) = advice(six, tolerance)
    assert item.trainable == trainable and item.top_trainable == 5
    assert item.lost.value == pytest.approx((32.0 - synthetic.BEST["coco50"][trainable]) / 100)


def test_default_tolerance_is_the_noise(six):
    (item,) = advice(six)
    assert item.tolerance == 0.004 and not item.noise.measured and item.trainable == 3
    synthetic.write_run(six, "coco50", 0, seed=1, shift=0.8)
    (item,) = advice(six)
    assert item.tolerance == pytest.approx(0.008) and item.noise.measured and item.trainable == 2


def test_costs_and_where_to_stop(six):
    (item,) = advice(six)
    assert item.time == pytest.approx(57.5 * 3600)
    assert item.time_ratio == pytest.approx(57.5 / 60.1)
    assert item.memory_ratio == pytest.approx(4200 / 5000)
    assert item.parameter_ratio == pytest.approx(32.1 / 41.5)
    assert item.stop_at == round(33 * synthetic.LENGTH / 52)  # the first after the decay
    assert item.stop_share == pytest.approx(33 / 52, abs=1e-5)
    assert item.lost_after == pytest.approx(0.023)


def test_costs_are_unknown_without_an_unfrozen_run(tmp_path):
    for k in (0, 3):
        synthetic.write_run(tmp_path, "coco50", k)
    (item,) = advice(tmp_path)
    assert item.time_ratio is None and item.memory_ratio is None and item.unfrozen_runs == ()


def test_one_scenario_is_no_choice(tmp_path):
    synthetic.write_run(tmp_path, "coco50", 3)
    assert advice(tmp_path) == []


def test_unfinished_runs_are_not_recommended(six):
    synthetic.write_run(six, "coco50", 0, seed=1, shift=9.0, until=300_000)
    (item,) = advice(six)
    assert item.trainable == 3


def test_differences_have_an_interval_with_repeats(tmp_path):
    for seed in range(3):
        for k in (3, 5):
            synthetic.write_run(tmp_path, "coco50", k, seed, shift=0.1 * seed)
    (item,) = advice(tmp_path)
    assert item.trainable == 3 and item.lost.known and not item.lost.excludes_zero
