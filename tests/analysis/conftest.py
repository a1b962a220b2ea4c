import pytest

from tests.analysis import synthetic


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """Work directories of the thesis's 43 runs, with its numbers."""
    return synthetic.write_study(tmp_path_factory.mktemp("study"))
