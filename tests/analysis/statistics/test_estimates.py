import numpy as np
import pytest

from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.statistics import estimates
from fzmm.analysis.statistics.cohorts import cohorts
from fzmm.analysis.statistics.noise import REPEATS, Noise, best_map, best_map_noise, measured_noise
from tests.analysis import synthetic

NOISE = Noise(0.01, 12, REPEATS)
T_OF_12 = 2.1788128296634177  # 97.5%


def test_the_mean_has_an_interval_of_the_pooled_noise():
    estimate = estimates.mean([0.25, 0.26, 0.27], NOISE)
    half = T_OF_12 * 0.01 / np.sqrt(3)
    assert estimate.value == pytest.approx(0.26)
    assert (estimate.low, estimate.high) == pytest.approx((0.26 - half, 0.26 + half))


def test_mean_without_noise_has_no_interval():
    estimate = estimates.mean([0.25, None, float("nan")], None)
    assert estimate.value == 0.25 and not estimate.known and not estimate.excludes_zero
    with pytest.raises(ValueError, match="no values"):
        estimates.mean([None], NOISE)


def test_equal_repeats():
    equal = Noise(0.0, 2, REPEATS)
    estimate = estimates.mean([0.25, 0.25], equal)
    assert (estimate.low, estimate.high) == (0.25, 0.25)
    assert estimates.difference([0.3, 0.3], [0.2, 0.2], equal).excludes_zero


def test_difference():
    half = T_OF_12 * 0.01 * np.sqrt(1 / 4 + 1 / 2)
    estimate = estimates.difference([0.3] * 4, [0.29, 0.31], NOISE)
    assert (estimate.low, estimate.high) == pytest.approx((-half, half))
    assert not estimate.excludes_zero and estimate.n == 2
    assert estimates.difference([5.0, 5.1], [1.0, 1.1], NOISE).excludes_zero


def test_difference_without_noise():
    estimate = estimates.difference([0.3], [0.2, 0.25], None)
    assert estimate.value == pytest.approx(0.075) and not estimate.known


def test_intervals_hold_what_they_promise():
    """Of 95% intervals over 3 normal repeats of 4 set-ups, 95% hold the mean."""
    generator = np.random.default_rng(1)
    held = []
    for _ in range(600):
        values = generator.normal(0.3, 0.01, (4, 3))
        noise = Noise(float(np.sqrt(values.var(axis=1, ddof=1).mean())), 8, REPEATS)
        estimate = estimates.mean(values[0], noise)
        held.append(estimate.low <= 0.3 <= estimate.high)
    assert 0.92 < np.mean(held) < 0.98


def test_noise_is_pooled_over_repeats(tmp_path):
    for seed, shift in enumerate((0.0, 0.3, 0.1)):
        synthetic.write_run(tmp_path, "coco50", 0, seed, shift=shift)
    for seed, shift in enumerate((0.0, 0.6)):
        synthetic.write_run(tmp_path, "coco50", 3, seed, shift=shift)
    synthetic.write_run(tmp_path, "coco100", 3)
    (cohort,) = cohorts(read_runs(tmp_path))
    noise = best_map_noise(cohort)
    assert noise.measured and noise.largest_range == pytest.approx(0.006) and noise.freedom == 3
    assert {run.seed for run in noise.runs} == {0, 1}
    squares = np.var([0, 0.3, 0.1]) * 3 + np.var([0, 0.6]) * 2
    assert noise.deviation == pytest.approx(np.sqrt(squares / 3) / 100)


def test_noise_of_the_thesis_stands_in_for_coco(tmp_path):
    synthetic.write_run(tmp_path, "coco50", 0)
    synthetic.write_run(tmp_path, "coco50", 3)
    (cohort,) = cohorts(read_runs(tmp_path))
    noise = best_map_noise(cohort)
    assert not noise.measured and noise.deviation == pytest.approx(0.0014, abs=5e-5)
    assert measured_noise(cohort, best_map) is None


def test_no_other_dataset_called_coco_takes_the_noise_of_the_thesis(tmp_path, monkeypatch):
    monkeypatch.setitem(synthetic.IMAGES, "coco50", 700)
    synthetic.write_run(tmp_path, "coco50", 0)
    synthetic.write_run(tmp_path, "coco50", 3)
    assert best_map_noise(cohorts(read_runs(tmp_path))[0]) is None
