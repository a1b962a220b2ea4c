"""What is said of the error of an AP and of mAP before anything is trained."""

import numpy as np
import pytest

from fzmm.datasets.sampling_error import FEW_BOXES, ap_error, map_error


def test_the_error_is_that_of_a_share():
    rng = np.random.default_rng(0)
    for boxes, ap in [(FEW_BOXES, 0.5), (200, 0.5), (200, 0.1)]:
        shares = rng.binomial(boxes, ap, 40_000) / boxes
        assert ap_error(boxes, ap) == pytest.approx(shares.std(), rel=0.02)
    assert ap_error(50) > max(ap_error(50, 0.4), ap_error(50, 0.6))
    assert 0.11 < ap_error(FEW_BOXES) < 0.12


def test_map_is_a_mean_of_independent_aps_at_most():
    rng = np.random.default_rng(0)
    boxes = [5, 40, 400]
    means = np.mean([rng.binomial(n, 0.5, 40_000) / n for n in boxes], axis=0)
    low, high = map_error(boxes)
    assert high == pytest.approx(means.std(), rel=0.02)
    assert high / 3 < low < high
    assert map_error([*boxes, 0]) == (low, high)  # a class without a box has no AP
    assert map_error([100] * 4)[1] == pytest.approx(ap_error(100) / 2)
