"""Kill a training at any moment and continue it: the same batches, losses and weights."""

import random

import pytest

from tests.engine.helpers import assert_same_weights, losses, rows


@pytest.fixture(scope="module")
def moments():
    return random.Random(0)


def test_kill_and_resume_is_exact(config, start, train, tmp_path):
    path = config()
    train(path, "whole")
    killed = start(path, "killed")
    killed.wait_for("iter_8.pth")
    killed.kill()
    killed.wait(-9)
    out = train(path, "killed", "--resume")
    assert "resumed epoch: 0, iter: 8" in out
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    assert len(losses(tmp_path / "whole")) == 12
    assert_same_weights(tmp_path / "whole/iter_12.pth", tmp_path / "killed/iter_12.pth")
    rates = [
        {r["step"]: r["lr"] for r in rows(tmp_path / d) if "lr" in r} for d in ("whole", "killed")
    ]
    assert rates[0] == rates[1]
    assert len(set(rates[0].values())) >= 6  # the warm-up and both decays
