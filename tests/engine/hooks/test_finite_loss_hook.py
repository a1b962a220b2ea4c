"""A loss that is no number ends the training."""

import json
import math

import pytest
import torch

from fzmm.engine.optimizers.amp_optim_wrapper import AutoAmpOptimWrapper
from fzmm.errors import UserError
from tests.engine.scripted import Line, train_scripted


def test_loss_that_is_no_number(config, train, tmp_path):
    lines = ["optim_wrapper = dict(optimizer=dict(lr=1e12), clip_grad=None)"]
    lines.append("default_hooks = dict(checkpoint=dict(interval=1, save_best=None))")
    lines.append("train_cfg = dict(max_iters=12, val_interval=50)")
    out = train(config(*lines), "run", code=2)
    assert "error: the loss is " in out.splitlines()[-1]
    assert "learning rate" in out.splitlines()[-1]
    record = json.loads((tmp_path / "run/provenance.json").read_text())
    assert record["finished"] is False
    assert record["stop_reason"].startswith("the loss is ")
    last = torch.load((tmp_path / "run/last_checkpoint").read_text(), weights_only=False)
    assert math.isfinite(last["message_hub"]["log_scalars"]["train/loss"].data[0][-1])


class Diverged(Line):
    def forward(self, inputs, mode="tensor"):
        out = super().forward(inputs, mode)
        return dict(loss=out["loss"] * math.nan) if mode == "loss" else out


@pytest.mark.parametrize(("dtype", "allowed"), [("bfloat16", 0), ("float16", 10)])
def test_a_loss_that_is_no_number_ends_the_training(dtype, allowed, tmp_path):
    """At once, but where the scaling of float16's losses skips steps that overflow."""
    model = Diverged()
    wrapper = AutoAmpOptimWrapper(torch.optim.SGD(model.parameters(), lr=1.0), dtype=dtype)
    with pytest.raises(UserError, match=f"the loss is nan at iteration {allowed + 1}"):
        train_scripted(
            tmp_path, [0.1] * 8, [], [dict(type="FiniteLossHook")], model=model, wrapper=wrapper
        )
