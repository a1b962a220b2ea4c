"""MMEngine runs whose metric follows a script."""

import json
import uuid

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.registry import HOOKS
from mmengine.runner import Runner

import fzmm.register  # noqa: F401
from fzmm.engine.hooks import TrainSplitMetricHook


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


def train_scripted(
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
