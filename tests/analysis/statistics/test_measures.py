import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fzmm.analysis.reading.log import Log
from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics import measures


def run_with(values=(), steps=None, milestones=(), train=None, train_steps=(), **more):
    steps = list(range(100, 100 * len(values) + 1, 100)) if steps is None else steps
    log = Log(
        steps=np.array(train_steps, dtype=np.int64),
        train={key: np.array(column, dtype=float) for key, column in (train or {}).items()},
        eval_steps=np.array(steps, dtype=np.int64),
        eval_epochs=np.full(len(steps), np.nan),
        evals={"coco/bbox_mAP": np.array(values, dtype=float)},
        epochs=np.full(len(train_steps), np.nan),
    )
    return Run("r", None, metric="coco/bbox_mAP", log=log, milestones=milestones, **more)


def test_best_last_and_gap():
    run = run_with([0.1, 0.3, 0.3, 0.25])
    assert measures.best(run) == measures.BestEvaluation(0.3, 200)
    assert measures.last(run) == 0.25
    assert measures.gap(run) == pytest.approx(0.05)
    assert measures.first_evaluation(run) == 0.1


def test_missing_values_do_not_count():
    run = run_with([np.nan, 0.3, -1.0, 0.2, np.nan])
    assert measures.best(run).value == 0.3 and measures.last(run) == 0.2


def test_no_evaluation():
    run = run_with()
    assert measures.best(run) is None and measures.last(run) is None and measures.gap(run) is None


@pytest.mark.parametrize(
    ("milestone", "gain"),
    [
        (200, 0.2),  # the evaluation at the milestone still sees the old rate
        (199, 0.05),
        (250, 0.2),
        (50, None),  # none before
        (400, None),  # none after
    ],
)
def test_decay_gain_is_first_after_minus_last_before(milestone, gain):
    run = run_with([0.1, 0.15, 0.35, 0.3], milestones=(milestone,))
    assert measures.decay_gain(run) == (None if gain is None else pytest.approx(gain))


def test_no_decay():
    assert measures.decay_gain(run_with([0.1, 0.2])) is None


def test_change_after_a_decay():
    run = run_with([0.1, 0.2, 0.5, 0.4, 0.3, 0.3, 0.3], milestones=(200, 500))
    assert measures.change_after(run, 0) == pytest.approx(-1.0)  # -0.1 in 100 iterations
    assert measures.change_after(run, 1) == pytest.approx(0.0)
    assert measures.change_after(run, 2) is None


def test_training_time_prefers_the_clock():
    run = run_with(
        train_steps=[50, 100],
        train={
            "train_time": [10, 21],
            "time": [9, 9],
            "data_time": [1, 1],
        },
    )
    assert measures.training_time(run) == 21


def test_training_time_without_data_loading():
    # 50 iterations at 0.4 - 0.1 s and 50 at 0.6 - 0.2 s
    run = run_with(train_steps=[50, 100], train={"time": [0.4, 0.6], "data_time": [0.1, 0.2]})
    assert measures.training_time(run) == pytest.approx(50 * 0.3 + 50 * 0.4)


def noisy(sigma, seed, milestones=(2600, 3400)):
    """A climb with steep steps and large swings, then two rates with normal noise."""
    generator = np.random.default_rng(seed)
    climb = np.linspace(0.02, 0.20, 26) + 0.02 * generator.standard_normal(26)
    settled = 0.28 + np.repeat([0.0, 0.01], (8, 6)) + sigma * generator.standard_normal(14)
    return run_with([*climb, *settled], milestones=milestones)


def test_evaluation_noise_is_that_of_evaluations_that_compete_to_be_the_best():
    runs = [noisy(0.002, seed) for seed in range(60)]
    assert np.mean([measures.evaluation_noise(run) for run in runs]) == pytest.approx(
        0.002, rel=0.2
    )
    gaps = [measures.gap(run_with(run.curve()[1][-14:])) for run in runs]
    by_noise = np.mean([measures.gap_by_noise(run) for run in runs])
    assert 0.5 < by_noise / 0.002 < 3 and np.mean(gaps) > 0
    first, last = measures.as_good_as_best(runs[0])
    assert first > 2600 and last <= 4000


def test_evaluation_noise_of_few_evaluations_after_the_decay_is_unknown():
    run = run_with([0.03, 0.08, 0.14, 0.15, 0.22, 0.27, 0.288, 0.297], milestones=(450, 650))
    assert measures.evaluation_noise(run) is None and measures.gap_by_noise(run) is None
    assert measures.as_good_as_best(run) == (800, 800)


def test_evaluation_noise_without_a_decay_counts_all():
    run = run_with([0.20, 0.21, 0.19, 0.21, 0.20, 0.21])
    assert measures.evaluation_noise(run) > 0.005


def test_training_time_to_the_end_of_a_finished_run():
    columns = {"time": [0.4], "data_time": [0.1]}
    run = run_with(train_steps=[50], train=columns, max_iterations=58, finished=True)
    assert measures.training_time(run) == pytest.approx(58 * 0.3)
    stopped = run_with(train_steps=[50], train=columns, max_iterations=500, finished=True)
    assert measures.training_time(stopped) == pytest.approx(50 * 0.3)


def test_training_time_unknown():
    assert measures.training_time(run_with(train_steps=[50], train={"time": [0.4]})) is None
    nothing = {"time": [np.nan], "data_time": [0.1]}
    assert measures.training_time(run_with(train_steps=[50], train=nothing)) is None


@given(st.lists(st.floats(0.01, 2), min_size=12, max_size=60), st.integers(1, 6))
def test_training_time_is_the_sum_over_iterations(times, interval):
    """Rows that are means over the iterations since the row before lose nothing."""
    count = len(times) // interval * interval
    times = np.array(times[:count])
    means = times.reshape(-1, interval).mean(axis=1)
    steps = np.arange(interval, count + 1, interval)
    run = run_with(train_steps=steps, train={"time": means + 0.05, "data_time": 0.05 + 0 * means})
    assert measures.training_time(run) == pytest.approx(times.sum())


def test_spread():
    assert measures.spread([0.250, 0.254, 0.246]) == (pytest.approx(0.008), pytest.approx(0.032))
    assert measures.spread([0.25]) is None


def test_losses_are_averaged_from_one_evaluation_to_the_next():
    steps, losses = [50, 100, 150, 200, 300, 350], [4.0, 2.0, np.nan, 1.0, 1.5, 9.0]
    run = run_with([0.1, 0.2, 0.3], train={"loss": losses}, train_steps=steps)
    assert measures.loss_curves(run) is None
    run.log.evals["val/loss"] = np.array([2.5, 1.5, 1.75])
    curves = measures.loss_curves(run)
    assert curves.steps.tolist() == [100, 200, 300]
    assert curves.train.tolist() == [3.0, 1.0, 1.5]
    assert curves.validation.tolist() == [2.5, 1.5, 1.75]
    run.log.evals["val/loss"][1:] = np.nan
    assert measures.loss_curves(run) is None  # one evaluation is no curve
