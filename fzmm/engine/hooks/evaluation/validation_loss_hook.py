"""The losses on the validation images, in the row of the validation mAP."""

from __future__ import annotations

import logging
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner.amp import autocast

from fzmm.datasets.dataset_config import innermost_dataset
from fzmm.datasets.samplers.seeding import mix, preserved_rng, seed_everything
from fzmm.engine.validation_loss import (
    batch_losses,
    first_with_and_without_boxes,
    loss_copy,
    truth_needs_rescaling,
)

PREFIX = "val/val/"  # MMEngine takes the first one off: "val/loss" in the row


@HOOKS.register_module()
class ValidationLossHook(Hook):
    """Log ``val/loss`` and each of the detector's losses on the validation images.

    Each batch of a validation goes through the detector a second time, with its ground truth, so it
    costs at most as much as the validation itself; no image is loaded twice. The values are means
    over the images of all processes: a batch of n images counts n times. The images that a sampler
    repeats so that all processes have as many do not count.

    They are the losses of training without what makes training differ from step to step: no
    augmentation, no dropout, norms by their running statistics. Anchors and proposals that a head
    samples are drawn from numbers that depend on the batch alone, the same at each validation.

    Training goes on as without the hook, bit by bit: a copy of the detector computes the losses,
    held in memory during the validation, random numbers are put back, and no metric, scheduler,
    best checkpoint or checkpoint's content comes to know of the values.

    A detector or a test pipeline that it does not work with is told of in the log at the start.
    """

    priority = "ABOVE_NORMAL"  # before the logger

    def __init__(self) -> None:
        self._works = False
        self._copy: torch.nn.Module | None = None

    def before_train(self, runner: Any) -> None:
        """Try it on two images, so that a long training does not end at its first validation."""
        self._works = False
        if runner.val_loop is None:
            return
        try:
            pipeline = innermost_dataset(runner.cfg.val_dataloader)["pipeline"]
            self._rescale = truth_needs_rescaling(pipeline)
            with preserved_rng():
                for sample in first_with_and_without_boxes(runner.val_dataloader.dataset):
                    self._losses(runner, pseudo_collate([sample]), 0)
        except Exception as error:  # detectors have losses of all kinds
            reason = " ".join(str(error).split()) or type(error).__name__
            runner.logger.log(logging.WARNING, f"no validation loss is logged: {reason}")
        else:
            self._works = True
        self._copy = None

    def before_val_epoch(self, runner: Any) -> None:
        """Begin anew."""
        self._sums: dict[str, float] = {}
        self._images: dict[str, int] = {}
        self._seen = 0

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Compute the losses of the batch that was just detected in."""
        if not self._works:
            return
        images = len(data_batch["data_samples"])
        counted = self._counted(images, len(runner.val_dataloader.dataset))
        with preserved_rng():
            losses = self._losses(runner, data_batch, batch_idx)
        for name, value in losses.items() if counted else ():
            self._sums[name] = self._sums.get(name, 0.0) + counted * value
            self._images[name] = self._images.get(name, 0) + counted

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Add the means to the row that the logger is about to write."""
        self._copy = None
        if not self._works:
            return
        sums, images = {}, {}
        for of_rank in all_gather_object((self._sums, self._images)):
            for total, part in zip((sums, images), of_rank, strict=True):
                for name, value in part.items():
                    total[name] = total.get(name, 0) + value
        for name, value in sums.items():
            runner.message_hub.update_scalar(f"{PREFIX}{name}", value / images[name])

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Leave the values out, which a resumed run without the hook would log again."""
        for part in ("log_scalars", "resumed_keys"):
            entries = checkpoint["message_hub"][part]
            for name in [name for name in entries if name.startswith(PREFIX)]:
                del entries[name]

    def _losses(self, runner: Any, batch: Any, batch_idx: int) -> dict[str, float]:
        if self._copy is None:  # here, not before the validation, where EMA changes the weights
            self._copy = loss_copy(runner.model)
        seed_everything(mix(batch_idx, get_rank()))
        with autocast(enabled=getattr(runner.val_loop, "fp16", False)):
            return batch_losses(self._copy, batch, self._rescale)

    def _counted(self, images: int, of: int) -> int:
        """Return how many of the next images of this process are not repeated ones.

        MMEngine's ``DefaultSampler`` deals them out in turn, and begins again at the end.
        """
        numbers = range(self._seen, self._seen + images)
        self._seen += images
        return sum(number * get_world_size() + get_rank() < of for number in numbers)
