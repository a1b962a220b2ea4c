"""How long a training step takes here, measured before anything is trained."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from fzmm.detector_config.detector import learns_masks, number_of_classes, train_scale

# COCO's mean is 7.3 boxes an image; the number hardly matters, sampling is of fixed size.
BOXES_PER_IMAGE = 7


@dataclass(frozen=True)
class StepTime:
    """Measured steps of one scenario.

    Attributes:
        seconds: Median of the timed steps.
        steps: How many were timed.
        device: ``cpu`` or ``cuda``.
    """

    seconds: float
    steps: int
    device: str


def time_steps(cfg: Config, frozen_stages: Sequence[int], steps: int = 3) -> dict[int, StepTime]:
    """Time training steps on images of noise, of the config's own size and batch.

    Forward, loss, backward and the optimiser's step; no data loading, which runs beside them, and
    no validation. One step before the timed ones warms up.

    Args:
        cfg: A run's config.
        frozen_stages: Scenarios to time.
        steps: Timed steps of each.
    """
    import torch

    cfg = copy.deepcopy(cfg)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return {
        value: StepTime(_median_step(cfg, value, steps, device), steps, device)
        for value in frozen_stages
    }


def interpolate(measured: dict[int, StepTime], frozen_stages: int) -> float:
    """Return the seconds of a step of a scenario that may lie between two measured ones."""
    if frozen_stages in measured:
        return measured[frozen_stages].seconds
    below = max((key for key in measured if key < frozen_stages), default=None)
    above = min((key for key in measured if key > frozen_stages), default=None)
    if below is None or above is None:
        return measured[above if below is None else below].seconds
    share = (frozen_stages - below) / (above - below)
    low, high = measured[below].seconds, measured[above].seconds
    return low + share * (high - low)


def _median_step(cfg: Config, frozen_stages: int, steps: int, device: str) -> float:
    import torch

    model, optim_wrapper = build_for_steps(cfg, frozen_stages, device)
    batch = noise_batch(cfg, with_masks=learns_masks(cfg.model))
    seconds = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        model.train_step(copy.deepcopy(batch), optim_wrapper)
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:] or seconds)


def build_for_steps(cfg: Config, frozen_stages: int, device: str = "cpu") -> tuple[Any, Any]:
    """Return a config's model, in training mode with random weights, and its optimiser."""
    model_cfg = copy.deepcopy(cfg.model)
    model_cfg.backbone.update(frozen_stages=frozen_stages, init_cfg=None)
    with quiet():
        from mmdet.registry import MODELS
        from mmdet.utils import register_all_modules
        from mmengine.optim import build_optim_wrapper

        register_all_modules(init_default_scope=True)
        model = MODELS.build(model_cfg)
        model.init_weights()
        model = model.to(device)
        wrapper = copy.deepcopy(cfg.optim_wrapper)
        wrapper.type = "OptimWrapper"
        optim_wrapper = build_optim_wrapper(model, wrapper)

    model.train()
    return model, optim_wrapper


def noise_batch(cfg: Config, with_masks: bool = False, seed: int = 0) -> dict[str, Any]:
    """Return a batch as the config's data loader makes it: noise, with boxes at random."""
    import numpy as np
    import torch
    from mmdet.structures import DetDataSample
    from mmdet.structures.mask import BitmapMasks
    from mmengine.structures import InstanceData

    rng = np.random.default_rng(seed)
    width, height = train_scale(cfg)
    classes = number_of_classes(cfg.model) or 80
    inputs, samples = [], []
    for _ in range(cfg.train_dataloader.batch_size):
        inputs.append(torch.from_numpy(rng.integers(0, 256, (3, height, width), dtype=np.uint8)))
        size = rng.uniform(0.1, 0.5, (BOXES_PER_IMAGE, 2)) * [width, height]
        corner = rng.uniform(0, 1, (BOXES_PER_IMAGE, 2)) * ([width, height] - size)
        boxes = torch.from_numpy(np.concatenate([corner, corner + size], 1)).float()
        labels = torch.from_numpy(rng.integers(0, classes, BOXES_PER_IMAGE)).long()
        instances = InstanceData(bboxes=boxes, labels=labels)
        if with_masks:
            masks = np.zeros((BOXES_PER_IMAGE, height, width), np.uint8)
            for mask, (x1, y1, x2, y2) in zip(masks, boxes.long().tolist(), strict=True):
                mask[y1:y2, x1:x2] = 1
            instances.masks = BitmapMasks(masks, height, width)
        shape = dict(
            img_shape=(height, width), ori_shape=(height, width), pad_shape=(height, width)
        )
        sample = DetDataSample(metainfo=dict(scale_factor=(1.0, 1.0), **shape))
        sample.gt_instances = instances
        sample.ignored_instances = InstanceData(bboxes=torch.zeros((0, 4)), labels=torch.zeros(0))
        samples.append(sample)

    return dict(inputs=inputs, data_samples=samples)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Building a model prints; none of it is news here."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
