"""What every fuzzed call must keep to: one clear line, or a result; no hang, no flood of memory."""

import os
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings

from tests.fuzz.limits import GIGABYTE, Reader

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


# Of what starts without torch, all that the readers import while they work.
LIGHT = (
    "fzmm.datasets.subsets.make_subsets",
    "fzmm.datasets.formats.read_folder",
    "fzmm.analysis.report.write_report",
    "fzmm.analysis.report.recommendation_text",
    "fzmm.commands.analyze_logs",
)
WITH_TORCH = (
    "fzmm.engine.runner.checkpoints",
    "fzmm.engine.runner.check_inputs",
    "fzmm.sweep.sweep",
)


@pytest.fixture(scope="session")
def light_reader():
    """A process without torch, which can never have more than a gigabyte."""
    reader = Reader(*LIGHT)
    reader.start()  # its imports are no part of the first example's time
    yield reader
    reader.close()


@pytest.fixture(scope="session")
def torch_reader():
    """A process with torch, whose resident memory is measured."""
    reader = Reader(*WITH_TORCH, address_space=8 * GIGABYTE)
    reader.start()
    yield reader
    reader.close()
