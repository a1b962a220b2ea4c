import numpy as np
import pytest

from fzmm.analysis.conclusions.learning_curve import curve_of_means
from fzmm.analysis.report import more_data_text

SIZES = (1000.0, 2000.0, 4000.0)


def curve(values, deviation=0.001, target_map=None):
    means = [(size, value, 3) for size, value in zip(SIZES, values, strict=True)]
    result = curve_of_means(means, deviation, 12)
    object.__setattr__(result, "unit", "images")
    object.__setattr__(result, "target_map", target_map)
    return result


RISING = 0.35 + 0.04 * np.log(np.array(SIZES) / 4000)


def test_help_is_said_with_interval_and_margin():
    sentence = more_data_text.verdict(curve(RISING))
    assert sentence.startswith("Yes: twice the data (8,000 images) is predicted to give +")
    assert "at equal iterations" in sentence
    assert "95%" in sentence and "more than the margin of 0.4 pp" in sentence


@pytest.mark.parametrize(
    "values, words",
    [
        ([0.30, 0.33, 0.32], "the last step brought no gain"),
        ([0.30, 0.31, 0.34], "no law of growth"),
    ],
)
def test_why_it_cannot_be_told(values, words):
    sentence = more_data_text.verdict(curve(values, 0.0001))
    assert sentence.startswith("Cannot be told") and words in sentence


def test_what_would_tell():
    sentence = more_data_text.verdict(curve(RISING, 0.012))
    assert sentence.startswith("Cannot be told: twice the data")
    assert "would tell" in sentence


def test_what_twice_the_data_means_is_said_without_a_prediction_too():
    for values in (RISING, [0.30, 0.33, 0.32]):
        assert "twice the data is seen half as often" in more_data_text.basis(curve(values))


def test_one_amount():
    assert "one data amount" in more_data_text.verdict(None)


@pytest.mark.parametrize(
    "wanted, words",
    [
        (0.30, "reached with 2,000 images"),
        (0.36, "between 5,100 images and 6,000"),
        (0.60, "beyond which no extrapolation can be trusted"),
    ],
)
def test_the_price_of_a_target(wanted, words):
    sentence = more_data_text.target(curve(RISING, 0.0002, wanted))
    assert sentence.startswith(f"{100 * wanted:.1f} mAP: ") and words in sentence


def test_the_basis_names_the_laws():
    assert "logarithm" in more_data_text.basis(curve(RISING))
    assert "equal iterations" in more_data_text.basis(curve(RISING))
