import math

import numpy as np
import pytest

from fzmm.analysis.conclusions import learning_curve as module
from fzmm.analysis.conclusions.learning_curve import learning_curve
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.report import more_data_text
from fzmm.analysis.statistics.cohorts import cohorts
from tests.analysis import synthetic


def law(share):
    return 0.45 - 0.08 * share**-0.6


@pytest.fixture()
def write(tmp_path, monkeypatch):
    """Write a run on a share of the data that reaches the law's mAP and a shift."""

    def write_run(name, share, seed=0, shift=0.0, trainable=5):
        monkeypatch.setitem(synthetic.FRACTIONS, name, share)
        monkeypatch.setitem(synthetic.IMAGES, name, round(100_000 * share))
        value = law(share) + shift
        steps = [100_000, 200_000, 381_108]
        synthetic.write_run(
            tmp_path,
            name,
            trainable,
            seed,
            evaluations=(steps, [value / 2, value, value], [0.5] * 3),
        )

    return write_run


@pytest.fixture()
def curve(tmp_path):
    return lambda **options: learning_curve(cohorts(read_runs(tmp_path))[0], **options)


@pytest.mark.parametrize("shares", [(0.25, 0.5, 1.0), (0.125, 0.25, 0.5, 1.0)])
def test_data_that_helps(write, curve, shares):
    for share in shares:
        for seed in range(3):
            write(f"d{share}", share, seed, 0.0005 * (seed - 1))
    result = curve()
    assert result.gain.low < law(2) - law(1) < result.gain.high
    assert result.verdict == module.YES and result.obstacle == ""
    assert result.unit == "images" and result.largest == 100_000
    middle, low, high = result.band([50_000])[:, 0]
    assert low < law(0.5) < high and middle == pytest.approx(law(0.5), abs=2e-3)


def test_a_margin_that_no_data_reaches(write, curve):
    for share in (0.25, 0.5, 1.0):
        for seed in range(3):
            write(f"d{share}", share, seed, 0.0005 * (seed - 1))
    assert curve(margin=0.2).verdict == module.NO
    assert curve(margin=0.028).verdict == module.OPEN


def test_the_same_interval_each_time(write, curve):
    for share in (0.25, 0.5, 1.0):
        write(f"d{share}", share)
    assert curve().gain == curve().gain


def test_two_amounts_cannot_carry_a_curve(write, curve):
    for share in (0.5, 1.0):
        for seed in range(2):
            write(f"d{share}", share, seed, 0.001 * seed)
    result = curve()
    assert result.gain is None and result.prediction is None
    assert result.obstacle == module.TWO_SIZES and result.verdict == module.OPEN
    assert result.observed.value == pytest.approx(law(1) - law(0.5), abs=1e-6)
    assert result.observed.known


def test_two_subsets_of_one_size_do_not_make_three_amounts(write, curve):
    write("a", 1.0)
    write("b", 0.5)
    write("c", 0.5, shift=0.001)
    assert curve().gain is None


def test_one_amount_is_no_curve(write, curve):
    write("a", 1.0)
    assert curve() is None


def test_a_fall_predicts_nothing(write, curve):
    for share, shift in ((0.25, 0.3), (0.5, 0.2), (1.0, 0.1)):
        write(f"d{share}", share, shift=shift - law(share))
    result = curve()
    assert result.obstacle == module.NO_RISE and result.verdict == module.OPEN


def test_a_last_step_within_the_noise_leaves_the_plateau_open(write, curve):
    for share, level in ((0.25, 0.30), (0.5, 0.32), (1.0, 0.325)):
        for seed in range(2):
            write(f"d{share}", share, seed, level - law(share) + 0.004 * seed)
    result = curve()
    assert result.gain.low == 0.0 and result.verdict != module.YES


def test_how_many_images_a_target_takes(write, curve):
    for share in (0.25, 0.5, 1.0):
        for seed in range(3):
            write(f"d{share}", share, seed, 0.0005 * (seed - 1))
    result = curve()
    answer = result.data_for(law(1.5))
    assert 100_000 < answer.low < 150_000 < answer.high
    assert not answer.reached and answer.limit == 400_000
    assert result.data_for(law(0.4)).reached
    assert math.isinf(result.data_for(0.44).high)  # close to the asymptote of 45: maybe never


def test_what_size_would_tell(write, curve):
    for share in (0.25, 0.5, 1.0):
        for seed in range(2):
            write(f"d{share}", share, seed, 0.006 * seed)
    result = curve()
    assert 100_000 < result.size_that_tells() <= 400_000


def test_a_scenario_that_was_not_run_everywhere_is_no_gain_of_more_data(write, curve):
    for share in (0.25, 0.5, 1.0):
        for seed in range(2):
            write(f"d{share}", share, seed, 0.001 * seed)
            write(f"d{share}", share, seed, 0.001 * seed - 0.02, trainable=3)
    complete = curve()
    write("d1.0", 1.0, 0, 0.03, trainable=4)
    result = curve(target_map=law(1) + 0.02)
    assert result.observed.value == pytest.approx(complete.observed.value)
    assert [point.trainable for point in result.points] == [5, 5, 5]
    (left_out,) = result.left_out
    assert (left_out.label, left_out.trainable) == ("d1.0", 4) and complete.left_out == ()
    assert "the best on d1.0 (4 trainable)" in more_data_text.basis(result)
    # a wanted mAP was reached by whatever run has reached it
    assert result.data_for(law(1) + 0.02).reached


def test_gains_by_class(write, curve, tmp_path):
    write("a", 1.0)
    write("b", 0.5)
    for log in tmp_path.rglob("scalars.json"):
        high = "/a_" in str(log)
        add = f', "coco/cat_precision": {0.5 if high else 0.3}, "coco/dog_precision": 0.4}}'
        lines = [
            line.rstrip().removesuffix("}") + add if "coco/bbox_mAP" in line else line.rstrip()
            for line in log.read_text().splitlines()
        ]
        log.write_text("\n".join(lines) + "\n")
    gains = {one.name: one.gain.value for one in curve().class_gains}
    assert gains == pytest.approx({"cat": 0.2, "dog": 0.0})
    assert list(gains) == ["cat", "dog"]


def test_interval_covers_the_truth(write, curve):
    generator = np.random.default_rng(3)
    for share in (0.125, 0.25, 0.5, 1.0):
        for seed in range(3):
            write(f"d{share}", share, seed, generator.normal(0, 0.002))
    gain = curve().gain
    assert gain.low <= law(2) - law(1) <= gain.high
