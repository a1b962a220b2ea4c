"""The file of a run's detections: written, read, limited in size, and damaged."""

import gzip

import numpy as np
import pytest

from fzmm.errors import UserError
from fzmm.predictions import FILE_NAME, Predictions, read_predictions, write_predictions


def some(count, seed=0):
    rng = np.random.default_rng(seed)
    return Predictions(
        np.sort(rng.integers(1, 40, count)),
        rng.integers(1, 81, count),
        rng.uniform(1, 600, (count, 4)),
        rng.uniform(0.001, 1, count),
    )


def test_what_is_written_is_read_again(tmp_path):
    predictions = some(500)
    entry = write_predictions(tmp_path, predictions)
    again = read_predictions(tmp_path)
    assert entry["detections"] == len(again) == 500 and entry["scores_from"] == 0
    np.testing.assert_array_equal(again.image_ids, predictions.image_ids)
    np.testing.assert_array_equal(again.category_ids, predictions.category_ids)
    np.testing.assert_allclose(again.boxes, predictions.boxes, atol=0.0051)
    np.testing.assert_allclose(again.scores, predictions.scores, rtol=1e-5)
    first = (tmp_path / FILE_NAME).read_bytes()
    write_predictions(tmp_path, predictions)
    assert (tmp_path / FILE_NAME).read_bytes() == first


def test_a_model_that_detects_nothing_has_an_empty_file(tmp_path):
    write_predictions(tmp_path, some(0))
    assert len(read_predictions(tmp_path)) == 0


def test_low_scores_are_left_out_of_a_file_that_would_be_too_large(tmp_path):
    predictions = some(2000)
    whole = write_predictions(tmp_path, predictions)
    size = (tmp_path / FILE_NAME).stat().st_size
    less = write_predictions(tmp_path, predictions, most_bytes=size - 500)
    assert less["scores_from"] == 0.05 and less["sha256"] != whole["sha256"]
    assert (tmp_path / FILE_NAME).stat().st_size <= size - 500
    assert less["detections"] == int((predictions.scores >= 0.05).sum())
    with pytest.raises(UserError, match="more than 100 bytes"):
        write_predictions(tmp_path, predictions, most_bytes=100)


@pytest.mark.parametrize(
    "text",
    [
        "{}x",
        '{"image_id": 1}',
        "[1, 2]",
        '[{"image_id": 1, "category_id": 1, "bbox": [1, 2]}]',
        '[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, NaN], "score": 0.5}]',
        '[{"image_id": 1e99, "category_id": 1, "bbox": [1,2,3,4], "score": 1}]',
        pytest.param("[" * 100_000, id="deeply nested"),
    ],
)
def test_a_damaged_file_is_told_in_one_line(tmp_path, text):
    assert_told_in_one_line(tmp_path, gzip.compress(text.encode()))


def test_what_gzip_cannot_unpack_is_told_in_one_line(tmp_path):
    assert_told_in_one_line(tmp_path, b"\x1f\x8bbroken")


def assert_told_in_one_line(tmp_path, content):
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(UserError) as error:
        read_predictions(tmp_path)
    assert FILE_NAME in str(error.value) and "\n" not in str(error.value)


def test_a_run_without_predictions_has_none(tmp_path):
    assert read_predictions(tmp_path) is None
