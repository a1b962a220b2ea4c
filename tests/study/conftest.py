"""Fixtures of the tests of a study's data."""

import shutil

import pytest


@pytest.fixture
def data(tiny_data, tmp_path):
    """A copy of the tiny dataset that a test may spoil."""
    folder = tiny_data["train_ann"].parents[1]
    shutil.copytree(folder, tmp_path / "data")
    return {key: tmp_path / "data" / path.relative_to(folder) for key, path in tiny_data.items()}
