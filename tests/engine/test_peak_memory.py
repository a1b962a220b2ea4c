"""The resident set's peak, measured on what a process really takes."""

import subprocess
import sys

import pytest

# in a process of its own: this one's peak is whatever the tests before took
TAKE_AND_FORGET = """
from fzmm.engine.peak_memory import forget_peak, peak_memory_mb
import torch
before = peak_memory_mb()
block = torch.ones(400 * 2**18)
taken = peak_memory_mb()
del block
forget_peak()
print(before, taken, peak_memory_mb())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the peak is for good")
def test_the_peak_holds_what_was_taken_until_it_is_forgotten():
    environment = {"PYTHONPATH": ".", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", TAKE_AND_FORGET], capture_output=True, text=True, env=environment
    )
    before, taken, after = map(float, done.stdout.split())
    assert taken - before == pytest.approx(400, abs=20)
    assert taken - after > 300
