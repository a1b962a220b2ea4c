import pytest

from fzmm.analysis.conclusions.next_runs import MARGIN
from fzmm.analysis.conclusions.recommendation import recommend
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.report.words import words
from fzmm.analysis.statistics.cohorts import cohorts
from tests.analysis import synthetic


def advice(root, margin=MARGIN):
    return recommend(cohorts(read_runs(root))[0], margin)


@pytest.fixture
def six(tmp_path):
    for k in range(6):
        synthetic.write_run(tmp_path, "coco50", k)  # 28.0 29.9 31.3 31.8 31.9 32.0
    return tmp_path


@pytest.mark.parametrize(
    ("margin", "trainable"), [(1e-9, 5), (0.001, 4), (0.002, 3), (0.0071, 2), (0.5, 0)]
)
def test_fewest_stages_within_the_margin(six, margin, trainable):
    (item,) = advice(six, margin)
    assert item.trainable == trainable and item.top_trainable == 5
    assert item.lost.value == pytest.approx((32.0 - synthetic.BEST["coco50"][trainable]) / 100)


def test_the_margin_does_not_grow_with_the_noise(six):
    (item,) = advice(six)
    assert item.margin == 0.004 and item.trainable == 3 and item.noise.source == "thesis"
    synthetic.write_run(six, "coco50", 0, seed=1, shift=0.8)
    (item,) = advice(six)
    assert item.margin == 0.004 and item.noise.measured and item.trainable == 3


def test_one_seed_is_never_more_than_provisional(six):
    (item,) = advice(six)
    assert item.status == "provisional" and item.probability_within_margin > 0.75
    assert {run.reason for run in item.next_runs} == {"second seed"}
    assert [(run.trainable, run.seed) for run in item.next_runs] == [(k, 1) for k in range(6)]


def test_without_noise_nothing_is_decided(tmp_path):
    for k in range(6):
        synthetic.write_run(tmp_path, "coco50", k, dataset="steel")
    (item,) = advice(tmp_path)
    assert item.status == "undecided" and item.noise is None
    assert item.probability_within_margin is None and item.largest_loss is None


def test_repeats_that_agree_show_it(tmp_path):
    for k in range(6):
        for seed in range(3):
            synthetic.write_run(tmp_path, "coco50", k, seed, shift=0.02 * seed)
    (item,) = advice(tmp_path)
    assert item.status == "shown" and item.trainable == item.safe_choice == 3
    assert item.probability_within_margin > 0.99 and item.largest_loss <= 0.004
    assert item.next_runs == ()


def test_a_close_call_asks_for_seeds_of_what_matters(tmp_path):
    for k in range(6):
        for seed in range(2):
            synthetic.write_run(tmp_path, "coco50", k, seed, shift=0.3 * (seed + k) % 0.9)
    (item,) = advice(tmp_path)
    assert item.status == "provisional" and item.probability_within_margin < 0.8
    reasons = {run.trainable: run.reason for run in item.next_runs}
    assert reasons[item.trainable] == "choice" and 0 not in reasons
    assert {run.seed for run in item.next_runs} == {2}


def test_subsets_of_one_size_give_the_noise(tmp_path):
    for name, shift in (("coco25-1", 0.0), ("coco25-2", 0.3), ("coco25-3", -0.1)):
        for k in (0, 3, 5):
            more = 0.1 * (k == 3 and name == "coco25-2")
            synthetic.write_run(tmp_path, name, k, shift=shift + more)
    noise = advice(tmp_path)[0].noise
    assert noise.source == "subsets" and noise.freedom == 4
    # the one cell that is off by 0.1 leaves 0.1 * sqrt(4 / 9) of residual in all
    assert noise.deviation == pytest.approx(0.001 * (4 / 9) ** 0.5 / 2)


def test_a_schedule_that_was_cut_short_is_provisional(tmp_path):
    steps = [38_110 * i for i in range(1, 11)]
    for k, speed in ((0, 0.0), (3, 0.01), (5, 0.03)):
        for seed in range(3):
            values = [0.2 + speed * i + 1e-4 * seed for i in range(10)]
            evaluations = (steps, values, values)
            synthetic.write_run(tmp_path, "coco50", k, seed, evaluations=evaluations)
    (item,) = advice(tmp_path)
    assert item.schedule.too_short and item.schedule.still_rising == (3, 5)
    assert item.status == "provisional" and item.schedule.enough > 381_108
    assert item.schedule.leaders[-1][1] == 5


def rising(root, slopes, milestones=()):
    """Write three seeds of scenarios that rise by a slope a tenth, halving it before the end."""
    steps = [38_110 * i for i in range(1, 11)]
    for k, (early, late) in slopes.items():
        for seed in range(3):
            values = [
                0.2 + early * min(i, 7) + late * max(i - 7, 0) + 1e-4 * seed for i in range(10)
            ]
            curve = (steps, values, values)
            synthetic.write_run(root, "coco50", k, seed, evaluations=curve, milestones=milestones)
    return advice(root)[0]


def test_scenarios_that_rise_unevenly_are_named_with_a_length_that_would_settle_it(tmp_path):
    item = rising(tmp_path, {0: (0.0, 0.0), 5: (0.01, 0.0015)})
    schedule = item.schedule
    assert schedule.uneven and not schedule.still_rising and item.status == "provisional"
    assert (schedule.fastest, schedule.slowest) == (5, 0)
    assert schedule.rises[5] == pytest.approx(0.003, rel=0.01)
    # 2 pp in the fifth before, 0.3 pp in the last: the next one stays within 0.2 pp
    assert schedule.settles and schedule.enough == pytest.approx(1.2 * 381_108, abs=1)
    warning = words("recommendation_words").schedule_warning(item)
    assert (
        "frozen_stages −1 moves by +0.30 pp, frozen_stages 4 by +0.00 pp; about 457,330" in warning
    )


def test_rises_that_a_decay_has_shrunk_tell_no_length(tmp_path):
    slopes = {0: (0.0, 0.0), 5: (0.01, 0.0015)}
    schedule = rising(tmp_path, slopes, milestones=synthetic.DECAYS).schedule
    assert schedule.uneven and not schedule.settles and schedule.enough == 2 * 381_108


def test_coming_back_from_a_dip_is_no_rise(tmp_path):
    steps = [38_110 * i for i in range(1, 11)]
    dip = [0.1, 0.2, 0.25, 0.28, 0.29, 0.294, 0.29, 0.285, 0.29, 0.294]
    flat = [0.1, 0.2, 0.25, 0.28, 0.29, 0.29, 0.29, 0.29, 0.29, 0.29]
    for k, values in ((0, flat), (5, dip)):
        for seed in range(3):
            curve = [value + 1e-4 * seed for value in values]
            synthetic.write_run(tmp_path, "coco50", k, seed, evaluations=(steps, curve, curve))
    (item,) = advice(tmp_path)
    assert not item.schedule.too_short and item.schedule.rises[5] == pytest.approx(0.0)


def test_a_rise_that_does_not_shrink_has_no_length_yet(tmp_path):
    item = rising(tmp_path, {0: (0.0, 0.0), 5: (0.01, 0.01)})
    assert item.schedule.still_rising == (5,)
    assert not item.schedule.settles and item.schedule.enough == 2 * 381_108
    warning = words("recommendation_words").schedule_warning(item)
    assert "frozen_stages −1 (+2.0 pp) still rises over its last fifth; what length" in warning


def test_costs_and_where_to_stop(six):
    (item,) = advice(six)
    assert item.cost.time == pytest.approx(57.5 * 3600)
    assert item.cost.time_ratio == pytest.approx(57.5 / 60.1)
    assert item.cost.memory_ratio == pytest.approx(4200 / 5000)
    assert item.cost.parameter_ratio == pytest.approx(32.1 / 41.5)
    assert item.stop.iteration == round(33 * synthetic.LENGTH / 52)  # the first after the decay
    assert item.stop.share == pytest.approx(33 / 52, abs=1e-5)
    assert item.stop.lost_after == pytest.approx(0.023)


def test_costs_are_unknown_without_an_unfrozen_run(tmp_path):
    for k in (0, 3):
        synthetic.write_run(tmp_path, "coco50", k)
    (item,) = advice(tmp_path)
    assert (
        item.cost.time_ratio is None and item.cost.memory_ratio is None and item.unfrozen_runs == ()
    )


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
