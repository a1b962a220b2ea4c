"""Seconds of the training steps alone."""

import time

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import HOOKS
from mmengine.runner import Runner

import fzmm.register  # noqa: F401
from tests.engine.helpers import rows


class SlowSteps(BaseModel):
    """Each step lasts 10 ms and more."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, inputs, mode="tensor"):
        time.sleep(0.01)
        return dict(loss=self.layer(inputs).square().mean())


class SlowData(torch.utils.data.Dataset):
    """So does loading a batch."""

    def __len__(self):
        return 20

    def __getitem__(self, index):
        time.sleep(0.01)
        return torch.ones(1)


@HOOKS.register_module(force=True)
class SlowHook(Hook):
    """And what other hooks do after a step."""

    def after_train_iter(self, *args, **kwargs):
        time.sleep(0.01)


def test_training_time_is_that_of_the_steps(tmp_path):
    runner = Runner(
        SlowSteps(),
        str(tmp_path),
        dict(dataset=SlowData(), batch_size=1, sampler=dict(type="DefaultSampler", shuffle=False)),
        train_cfg=dict(by_epoch=False, max_iters=20),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
        custom_hooks=[dict(type="TrainingTimeHook"), dict(type="SlowHook")],
        default_hooks=dict(checkpoint=None, logger=dict(type="LoggerHook", interval=10)),
        default_scope="mmengine",
        experiment_name=tmp_path.name,
        visualizer=dict(type="Visualizer", vis_backends=[dict(type="LocalVisBackend")]),
    )
    start = time.perf_counter()
    runner.train()
    whole = time.perf_counter() - start
    total = runner.message_hub.get_info("train_time")
    # however slow the machine: 20 steps of 10 ms are in it, 20 times 10 ms of data and hooks not
    assert 20 * 0.01 <= total <= whole - 2 * 20 * 0.01
    # asleep, the processor does not work
    assert 0 < runner.message_hub.get_info("train_cpu_time") < total


def test_training_time_is_logged(learned):
    train_rows = [row for row in rows(learned / "with") if "loss" in row]
    total = train_rows[-1]["train_time"]
    validation = [row for row in rows(learned / "with") if "coco/bbox_mAP" in row][-1]
    assert validation["train_time"] == total
    assert 0 < validation["train_cpu_time"] == train_rows[-1]["train_cpu_time"]
    times = [row["train_time"] for row in train_rows]
    assert sorted(times) == times
    assert times[0] > 0
    log = next((learned / "with").glob("*/*.log")).read_text()
    assert log.count("parameters: ") == 1
    assert f"training time: {total:,.1f} s" in log
