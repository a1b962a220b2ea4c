"""The mAP on the training data beside the validation mAP."""

from __future__ import annotations

import copy
import os
import time
from typing import Any

import torch
from mmengine.dist import barrier
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook, IterTimerHook
from mmengine.registry import HOOKS
from mmengine.runner.amp import autocast

from fzmm.datasets.samplers.seeding import preserved_rng
from fzmm.engine.arguments import check_number
from fzmm.engine.hooks.preemption_hook import PreemptionHook
from fzmm.engine.runner.train_split import train_split_configs, write_sample

PREFIX = "train_split"


@HOOKS.register_module()
class TrainSplitMetricHook(Hook):
    """Evaluate the model on the run's own training images with the test pipeline.

    The metrics of the validation are computed on the training annotations and logged as
    ``train_split/bbox_mAP`` (``_50``, ``_75``, ``_s``, ``_m``, ``_l``) in the validation's row of
    the JSON log, its console line and TensorBoard. They are not among the metrics that choose the
    best checkpoint or drive a scheduler.

    The sample of the training images is a COCO file of its own,
    ``<work_dir>/train_split/instances.json``: a stratified choice by
    :func:`fzmm.datasets.subsets.make_subsets.select_image_ids`, the same at each evaluation.
    ``tools/test.py``
    on that file gives the same value.

    Training goes on as without the hook: random numbers and the model's mode are put back, the
    timers of the log are set forward by the time it took, and data is loaded by workers of its own.

    Args:
        num_images: Images to evaluate, or None for all of the training annotation file.
        interval: Evaluate at each n-th validation, and at the last.
        seed: Chooses the sample.
    """

    priority = "ABOVE_NORMAL"  # before EMA gives its weights back, and before the logger

    def __init__(self, num_images: int | None = 5_000, interval: int = 1, seed: int = 0) -> None:
        check_number(self, "interval", interval, at_least=1, whole=True)
        check_number(self, "seed", seed, at_least=0, whole=True)
        if num_images is not None:
            check_number(self, "num_images", num_images, at_least=1, whole=True)
        self.num_images = num_images
        self.interval = interval
        self.seed = seed
        self._loader: Any = None

    def before_train(self, runner: Any) -> None:
        """Write the sample, so that a mistake shows at the start of the run."""
        preemption = (hook for hook in runner.hooks if isinstance(hook, PreemptionHook))
        self._preemption = next(preemption, None)
        with preserved_rng():
            self._prepare(runner)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Evaluate, and add the values to the row that the logger is about to write."""
        if self._loader is None:  # a run that only validates
            return
        scalars = runner.message_hub.log_scalars
        for name in [name for name in scalars if name.startswith(f"val/{PREFIX}/")]:
            del scalars[name]  # else a validation without an evaluation repeats the last values
        validations = runner.message_hub.get_info("fzmm_validations", 0) + 1
        runner.message_hub.update_info("fzmm_validations", validations)
        if validations % self.interval and runner.iter < runner.max_iters:
            return
        started = time.time()

        with preserved_rng():
            values = self._evaluate(runner)
        for name, value in values.items():
            runner.message_hub.update_scalar(f"val/{PREFIX}/{name.split('/', 1)[-1]}", value)
        elapsed = time.time() - started
        for hook in runner.hooks:
            if isinstance(hook, IterTimerHook):
                hook.t += elapsed

        runner.logger.info(
            f"evaluated {len(self._loader.dataset):,} training images in {elapsed:,.1f} s"
        )

    def _prepare(self, runner: Any) -> None:
        loader_cfg, metric_cfgs, source = train_split_configs(runner.cfg)
        ann_file = source
        if self.num_images is not None:
            ann_file = os.path.join(runner.work_dir, PREFIX, "instances.json")
            if runner.rank == 0:
                write_sample(source, ann_file, self.num_images, self.seed)
            barrier()
        loader_cfg["dataset"]["ann_file"] = os.path.abspath(ann_file)
        for metric in metric_cfgs:
            metric["ann_file"] = os.path.abspath(ann_file)
        self._loader = runner.build_dataloader(copy.deepcopy(loader_cfg), seed=runner.seed)
        self._evaluator: Evaluator = runner.build_evaluator(metric_cfgs)
        self._evaluator.dataset_meta = self._loader.dataset.metainfo

    @torch.no_grad()
    def _evaluate(self, runner: Any) -> dict[str, float]:
        model, modes = runner.model, {}
        for module in model.modules():
            modes[module] = module.training
        model.eval()

        try:
            for batch_idx, batch in enumerate(self._loader):
                with autocast(enabled=getattr(runner.val_loop, "fp16", False)):
                    outputs = model.val_step(batch)
                self._evaluator.process(data_samples=outputs, data_batch=batch)
                if self._preemption is not None:
                    self._preemption.after_val_iter(runner, batch_idx)
            return self._evaluator.evaluate(len(self._loader.dataset))
        finally:
            for module, training in modes.items():
                module.training = training
