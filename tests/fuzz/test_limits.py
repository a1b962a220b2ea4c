"""The limits under which readers are called do hold."""

import pytest

from tests.fuzz.limits import Reader


@pytest.fixture
def reader():
    reader = Reader()
    yield reader
    reader.close()


def test_a_gigabyte_is_too_much(reader):
    with pytest.raises(AssertionError, match="MemoryError"):
        reader("takes_memory", 1 << 30)
    assert reader("takes_memory", 1 << 20)


def test_resident_memory_is_measured(reader):
    reader.arguments = [str(1 << 34)]
    with pytest.raises(AssertionError, match=r"takes_memory: 1\d+ MB"):
        reader("takes_memory", 1 << 30)


def test_a_hang_is_noticed(reader, monkeypatch):
    monkeypatch.setattr("tests.fuzz.limits.MOST_SECONDS", 0.5)
    with pytest.raises(AssertionError, match="no answer after 0.5 s"):
        reader("waits", 60)
    assert reader("takes_memory", 1 << 20)  # the next call has a process of its own
