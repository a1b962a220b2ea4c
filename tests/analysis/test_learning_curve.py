import numpy as np
import pytest

from fzmm.analysis.conclusions.learning_curve import learning_curve
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.statistics.cohorts import cohorts
from tests.analysis import synthetic


def law(share):
    return 0.45 - 0.08 * share**-0.6


def write(root, name, share, seed=0, shift=0.0, monkeypatch=None):
    monkeypatch.setitem(synthetic.FRACTIONS, name, share)
    monkeypatch.setitem(synthetic.IMAGES, name, round(100_000 * share))
    value = law(share) + shift
    steps = [100_000, 200_000, 381_108]
    synthetic.write_run(
        root, name, 5, seed, evaluations=(steps, [value / 2, value, value], [0.5] * 3)
    )


def curve(root):
    return learning_curve(cohorts(read_runs(root))[0])


@pytest.mark.parametrize("shares", [(0.25, 0.5, 1.0), (0.125, 0.25, 0.5, 1.0)])
def test_a_power_law_is_found_again(tmp_path, monkeypatch, shares):
    for share in shares:
        write(tmp_path, f"d{share}", share, monkeypatch=monkeypatch)
    found = curve(tmp_path)
    assert found.parameters == pytest.approx((0.45, 0.08, 0.6), rel=0.05)
    assert found.gain.value == pytest.approx(law(2) - law(1), abs=2e-4)
    assert found.gain.low < found.gain.value < found.gain.high
    assert ("fix the three parameters" in found.reason) == (len(shares) == 3)
    assert found.unit == "images" and found.points[-1].size == 100_000
    assert found.predict(200_000) == pytest.approx(law(2), abs=3e-4)


def test_the_same_interval_each_time(tmp_path, monkeypatch):
    for share in (0.25, 0.5, 1.0):
        write(tmp_path, f"d{share}", share, monkeypatch=monkeypatch)
    assert curve(tmp_path).gain == curve(tmp_path).gain


def test_two_amounts_cannot_carry_a_curve(tmp_path, monkeypatch):
    for share in (0.5, 1.0):
        for seed in range(2):
            write(tmp_path, f"d{share}", share, seed, 0.001 * seed, monkeypatch)
    found = curve(tmp_path)
    assert found.gain is None and found.parameters is None and "two data amounts" in found.reason
    assert found.observed.value == pytest.approx(law(1) - law(0.5), abs=1e-6)
    assert found.observed.known


def test_two_subsets_of_one_size_do_not_make_three_amounts(tmp_path, monkeypatch):
    write(tmp_path, "a", 1.0, monkeypatch=monkeypatch)
    write(tmp_path, "b", 0.5, monkeypatch=monkeypatch)
    write(tmp_path, "c", 0.5, shift=0.001, monkeypatch=monkeypatch)
    assert curve(tmp_path).gain is None


def test_one_amount_is_no_curve(tmp_path, monkeypatch):
    write(tmp_path, "a", 1.0, monkeypatch=monkeypatch)
    assert curve(tmp_path) is None


def test_more_data_that_does_not_help(tmp_path, monkeypatch):
    for share, shift in ((0.25, 0.3), (0.5, 0.2), (1.0, 0.1)):
        write(tmp_path, f"d{share}", share, shift=shift - law(share), monkeypatch=monkeypatch)
    found = curve(tmp_path)
    assert found.gain is None or abs(found.gain.value) < 0.02


def test_interval_covers_the_truth(tmp_path, monkeypatch):
    generator = np.random.default_rng(3)
    for share in (0.125, 0.25, 0.5, 1.0):
        for seed in range(3):
            shift = generator.normal(0, 0.002)
            write(tmp_path, f"d{share}", share, seed, shift, monkeypatch)
    gain = curve(tmp_path).gain
    assert gain.low <= law(2) - law(1) <= gain.high
