"""What every fuzzed call must keep to: one clear line, or a result; no hang, no flood of memory."""

import os
import resource
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings

# The same examples each time in CI. By hand, for hours: FZMM_FUZZ_EXAMPLES=100000
EXAMPLES = os.environ.get("FZMM_FUZZ_EXAMPLES")
settings.register_profile(
    "fuzz",
    max_examples=int(EXAMPLES or 150),
    derandomize=EXAMPLES is None,
    deadline=timedelta(seconds=10),
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("fuzz")


@pytest.fixture(autouse=True)
def bounded_memory():
    """Fail where this process has come to need a gigabyte more."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 1 << 20, f"{grown / 1024:.0f} MB"  # ru_maxrss is in KB
