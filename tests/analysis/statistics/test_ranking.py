import numpy as np
import pytest

from fzmm.analysis.statistics.noise import REPEATS, Noise
from fzmm.analysis.statistics.ranking import rank

MARGIN = 0.004


def test_clear_differences_leave_no_doubt():
    ranking = rank({0: [0.2] * 3, 3: [0.30] * 3, 5: [0.301] * 3}, Noise(0.0005, 6, REPEATS), MARGIN)
    assert (ranking.chosen, ranking.highest, ranking.safe_choice) == (3, 5, 3)
    assert ranking.probability_within[3] > 0.99 and ranking.probability_within[0] == 0
    assert ranking.largest_loss[3] <= MARGIN and ranking.largest_loss[0] > 0.1


def test_probabilities_of_two_scenarios_are_those_of_students_t():
    from scipy import stats

    ranking = rank({0: [0.300] * 2, 5: [0.302] * 2}, Noise(0.002, 4, REPEATS), MARGIN)
    expected = stats.t.cdf(1.0, 4)  # (margin - difference) / (s sqrt(1/2 + 1/2))
    assert ranking.probability_within[0] == pytest.approx(expected, abs=0.02)
    bound = 0.002 + stats.t.ppf(0.95, 4) * 0.002
    assert ranking.largest_loss[0] == pytest.approx(bound, rel=0.05)


def test_without_noise_there_are_means_only():
    ranking = rank({0: [0.3], 5: [0.31]}, None, MARGIN)
    assert ranking.chosen == 5 and ranking.probability_within == {} and ranking.safe_choice is None


def test_the_bound_holds_for_the_chosen_scenario():
    """Hsu's bound covers the true loss of whatever was chosen in at least 95% of studies."""
    generator = np.random.default_rng(2)
    truth = np.array([0.296, 0.299, 0.300, 0.301])
    held = []
    for _ in range(300):
        values = generator.normal(truth[:, None], 0.003, (4, 3))
        deviation = float(np.sqrt(values.var(axis=1, ddof=1).mean()))
        ranking = rank(dict(enumerate(values)), Noise(deviation, 8, REPEATS), MARGIN)
        loss = truth.max() - truth[ranking.chosen]
        held.append(loss <= ranking.largest_loss[ranking.chosen])
    assert np.mean(held) >= 0.93
