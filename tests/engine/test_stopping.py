"""Rules that look at the validation mAP, in MMEngine runs whose metric follows a script."""

import json
import math
import uuid

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner

import fzmm.register  # noqa: F401
from fzmm.engine.hooks import TrainSplitMetricHook
from fzmm.engine.optimizers.amp_optim_wrapper import AutoAmpOptimWrapper
from fzmm.engine.schedulers.best_metric_plateau_lr import BestMetricPlateauLR
from fzmm.errors import UserError


class Line(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, inputs, mode="tensor"):
        out = self.layer(inputs)
        return dict(loss=out.square().mean()) if mode == "loss" else list(out)


class Script(BaseMetric):
    """Evaluation number n gives the n-th value."""

    default_prefix = "coco"

    def __init__(self, values):
        super().__init__()
        self.values = values

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return dict(bbox_mAP=self.values[MessageHub.get_current_instance().get_info("iter") // 2])


@HOOKS.register_module(force=True)
class ScriptedTrainSplit(TrainSplitMetricHook):
    """The training-split mAP by a script, in place of a detector's."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def _prepare(self, runner):
        self._loader = runner.train_dataloader

    def _evaluate(self, runner):
        return {"coco/bbox_mAP": self.values[runner.iter // 2 - 1]}


def train(
    work_dir, values, schedulers, hooks, max_iters=None, resume=False, model=None, wrapper=None
):
    loader = dict(
        batch_size=1,
        dataset=[dict(inputs=torch.ones(1))] * 4,
        sampler=dict(type="InfiniteSampler"),
        collate_fn=dict(type="default_collate"),
    )
    model = model or Line()
    wrapper = wrapper or OptimWrapper(torch.optim.SGD(model.parameters(), lr=1.0))
    runner = Runner(
        model=model,
        work_dir=str(work_dir),
        train_dataloader=loader,
        val_dataloader=dict(loader, sampler=dict(type="DefaultSampler", shuffle=False)),
        val_evaluator=[Script(values)],
        train_cfg=dict(
            type="IterBasedTrainLoop", max_iters=max_iters or 2 * len(values), val_interval=2
        ),
        val_cfg=dict(),
        optim_wrapper=wrapper,
        param_scheduler=schedulers,
        default_hooks=dict(
            checkpoint=dict(type="AtomicCheckpointHook", interval=2, by_epoch=False),
            logger=dict(type="LoggerHook", interval=1, log_metric_by_epoch=False),
        ),
        log_processor=dict(by_epoch=False, window_size=1),
        custom_hooks=[dict(type="ExactResumeHook"), dict(type="ProvenanceHook"), *hooks],
        resume=resume,
        randomness=dict(seed=0),
        log_level="WARNING",
        experiment_name=uuid.uuid4().hex,  # MMEngine keeps a log for each name
    )
    runner.train()
    lines = [
        json.loads(line)
        for path in sorted(work_dir.glob("*/vis_data/scalars.json"))
        for line in path.read_text().splitlines()
    ]
    return runner, {row["step"]: row["lr"] for row in lines if "lr" in row}


PLATEAU = [dict(type="BestMetricPlateauLR", window=5)]
STOP = [dict(type="PlateauStopHook")]
# 10 evaluations that rise, by 2% each at last (10.4% over five), then three plateaus of a window
RISING = [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.306, 0.312, 0.318, 0.325]
SCRIPT = RISING + [0.325] * 5 + [0.33, 0.32, 0.33, 0.331, 0.334] + [0.3] * 30


def test_plateaus_decay_twice_and_then_stop(tmp_path):
    runner, rates = train(tmp_path / "run", SCRIPT, PLATEAU, STOP)
    # the first plateau is seen at evaluation 14 (0.325 against 0.318 at 9), the second at 19 (0.331
    # is less than 3% above 0.325), the third, which ends it, at 24
    assert runner.iter == 48
    decays = [step for step in sorted(rates) if step > 1 and rates[step] < rates[step - 1]]
    assert decays == [29, 39]
    assert rates[48] == pytest.approx(0.01)
    record = json.loads((tmp_path / "run/provenance.json").read_text())
    assert record["finished"] is True
    assert record["stop_reason"].startswith("coco/bbox_mAP rose by no more than 3% over 5")


@pytest.mark.parametrize("stopped_at", [24, 28, 38, 46])
def test_plateaus_survive_resuming(stopped_at, tmp_path):
    _, whole = train(tmp_path / "whole", SCRIPT, PLATEAU, STOP)
    train(tmp_path / "run", SCRIPT, PLATEAU, STOP, max_iters=stopped_at)
    runner, rates = train(tmp_path / "run", SCRIPT, PLATEAU, STOP, resume=True)
    assert rates == whole
    runner, _ = train(tmp_path / "run", SCRIPT, PLATEAU, STOP, resume=True)
    assert runner.iter == 48  # ended is ended


def test_steady_progress_is_no_plateau():
    """Five times 0.7% are more than 3%, which ReduceOnPlateauLR's patience would not see."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    scheduler = BestMetricPlateauLR(optimizer, window=5)
    for number in range(30):
        scheduler.step({"coco/bbox_mAP": 0.2 * 1.007**number})
    assert optimizer.param_groups[0]["lr"] == 1.0
    with pytest.raises(KeyError, match="coco/bbox_mAP"):
        scheduler.step({"other": 1.0})


def test_a_model_that_finds_nothing_is_a_plateau():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    scheduler = BestMetricPlateauLR(optimizer, window=3)
    for _ in range(4):
        scheduler.step({"coco/bbox_mAP": -1.0})
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)


DECAY = [dict(type="MultiStepLR", by_epoch=False, milestones=[8], gamma=0.1)]
VAL = [0.2, 0.3, 0.25, 0.28, 0.35, 0.34, 0.335, 0.33, 0.32, 0.31, 0.3, 0.29]
FALLS_BEHIND = [dict(type="OverfitStopHook", patience=3, margin=0.01)]


def test_overfitting_stops_after_the_decay(tmp_path):
    split = [0.3 + 0.02 * number for number in range(12)]
    hooks = [dict(type="ScriptedTrainSplit", values=split), *FALLS_BEHIND]
    runner, _ = train(tmp_path / "run", VAL, DECAY, hooks)
    # decayed after 8; best 0.35 at 10; 0.335, 0.33, 0.32 at 14, 16, 18 are 0.01 below it
    assert runner.iter == 18
    reason = json.loads((tmp_path / "run/provenance.json").read_text())["stop_reason"]
    assert "its best 0.350 (iteration 10) for 3 evaluations" in reason
    assert "rose from 0.420 to 0.460" in reason
    # and the same when it is resumed in between
    train(tmp_path / "again", VAL, DECAY, hooks, max_iters=14)
    runner, _ = train(tmp_path / "again", VAL, DECAY, hooks, resume=True)
    assert runner.iter == 18


@pytest.mark.parametrize(
    ("split", "schedulers"),
    [
        ([0.4] * 12, DECAY),  # the training images are not learned better either
        ([0.3 + 0.02 * n for n in range(12)], []),  # the decay that may lift it is to come
    ],
)
def test_no_stop(split, schedulers, tmp_path):
    hooks = [dict(type="ScriptedTrainSplit", values=split), *FALLS_BEHIND]
    runner, _ = train(tmp_path / "run", VAL, schedulers or None, hooks)
    assert runner.iter == 24
    assert json.loads((tmp_path / "run/provenance.json").read_text())["stop_reason"] is None


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        (dict(type="OverfitStopHook"), "needs a TrainSplitMetricHook"),
        (dict(type="PlateauStopHook"), "needs a BestMetricPlateauLR"),
    ],
)
def test_rule_without_what_it_looks_at(hook, message, tmp_path):
    with pytest.raises(UserError, match=message):
        train(tmp_path / "run", VAL, DECAY, [hook])


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
        train(tmp_path, [0.1] * 8, [], [dict(type="FiniteLossHook")], model=model, wrapper=wrapper)
