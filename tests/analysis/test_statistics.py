import numpy as np
import pytest
from scipy import stats

from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.statistics import estimates
from fzmm.analysis.statistics.cohorts import cohorts
from tests.analysis import synthetic


def test_mean_has_students_interval():
    estimate = estimates.mean([0.25, 0.26, 0.27])
    half = 4.302652729911275 * 0.01 / np.sqrt(3)  # t of 2 degrees of freedom, 97.5%
    assert estimate.value == pytest.approx(0.26)
    assert (estimate.low, estimate.high) == pytest.approx((0.26 - half, 0.26 + half))


def test_mean_of_one_run_has_no_interval():
    estimate = estimates.mean([0.25, None, float("nan")])
    assert estimate.value == 0.25 and not estimate.known and not estimate.excludes_zero
    with pytest.raises(ValueError, match="no values"):
        estimates.mean([None])


def test_equal_repeats():
    estimate = estimates.mean([0.25, 0.25])
    assert (estimate.low, estimate.high) == (0.25, 0.25)
    assert estimates.difference([0.3, 0.3], [0.2, 0.2]).excludes_zero


def test_difference_is_welchs():
    first, second = [1.0, 2.0, 3.0, 4.0], [0.0, 0.5, 4.0]
    a, b = np.var(first, ddof=1) / 4, np.var(second, ddof=1) / 3
    freedom = (a + b) ** 2 / (a**2 / 3 + b**2 / 2)  # Welch-Satterthwaite
    half = stats.t.ppf(0.975, freedom) * np.sqrt(a + b)
    estimate = estimates.difference(first, second)
    assert estimate.value == pytest.approx(1.0)
    assert (estimate.low, estimate.high) == pytest.approx((1 - half, 1 + half))
    assert not estimate.excludes_zero
    assert estimates.difference([5.0, 5.1], [1.0, 1.1]).excludes_zero


def test_difference_without_repeats():
    estimate = estimates.difference([0.3], [0.2, 0.25])
    assert estimate.value == pytest.approx(0.075) and not estimate.known


def test_bootstrap_needs_runs():
    assert not estimates.bootstrap_mean([0.1] * 3).known
    values = list(np.random.default_rng(0).exponential(1.0, 40))
    estimate = estimates.bootstrap_mean(values)
    assert estimate.low < np.mean(values) < estimate.high
    assert estimates.bootstrap_mean([0.1] * 8).low == 0.1
    assert estimates.bootstrap_mean(values) == estimate  # the same draws each time


def test_intervals_hold_what_they_promise():
    """Of 95% intervals over 3 normal repeats, 95% hold the mean."""
    generator = np.random.default_rng(1)
    found = [estimates.mean(list(generator.normal(0.3, 0.01, 3))) for _ in range(600)]
    assert 0.92 < np.mean([e.low <= 0.3 <= e.high for e in found]) < 0.98


def test_noise_is_the_largest_spread_of_repeats(tmp_path):
    for seed, shift in enumerate((0.0, 0.3, 0.1)):
        synthetic.write_run(tmp_path, "coco50", 0, seed, shift=shift)
    for seed, shift in enumerate((0.0, 0.6)):
        synthetic.write_run(tmp_path, "coco50", 3, seed, shift=shift)
    synthetic.write_run(tmp_path, "coco100", 3)
    (cohort,) = cohorts(read_runs(tmp_path))
    noise = estimates.noise(cohort)
    assert noise.measured and noise.value == pytest.approx(0.006) and noise.freedom == 3
    assert {run.seed for run in noise.runs} == {0, 1}
    squares = np.var([0, 0.3, 0.1]) * 3 + np.var([0, 0.6]) * 2
    assert noise.deviation == pytest.approx(np.sqrt(squares / 3) / 100)


def test_noise_of_the_thesis_stands_in(tmp_path):
    synthetic.write_run(tmp_path, "coco50", 0)
    synthetic.write_run(tmp_path, "coco50", 3)
    noise = estimates.noise(cohorts(read_runs(tmp_path))[0])
    assert not noise.measured and noise.value == 0.004 and noise.freedom == 0
