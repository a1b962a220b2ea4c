"""A training that has learned something, with and without the hooks that watch it."""

import pytest

import fzmm.register  # noqa: F401
from tests.engine.conftest import write_config
from tests.engine.helpers import Training

LEARNING = (
    "train_cfg = dict(max_iters=60, val_interval=30)",
    "param_scheduler = []",
    "optim_wrapper = dict(optimizer=dict(lr=0.05))",
    "default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=60))",
)


@pytest.fixture(scope="session")
def learned(training_server, tiny, tmp_path_factory):
    """A training that has learned something, its config and a work directory without the hook."""
    folder = tmp_path_factory.mktemp("learned")
    sample = "default_hooks = dict(train_split=dict(num_images=10), logger=dict(interval=10))"
    path = write_config(folder, tiny, *LEARNING[:-1], sample)
    Training(training_server, path, folder / "with").wait()
    off = sample.replace("dict(num_images=10)", "None")
    plain = write_config(folder, tiny, *LEARNING[:-1], off, name="plain")
    Training(training_server, plain, folder / "without").wait()
    return folder
