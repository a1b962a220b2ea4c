"""Iterations, milestones and evaluation intervals: the one home of the study's arithmetic.

The thesis (section 4.3.3) holds the number of iterations constant over data amounts: 26 epochs of
COCO100 at 8 images an iteration, that is 52 epochs of half and 104 of a quarter of the images, with
the learning rate decayed after 16/26 and 22/26 of them. Configs repeat these results as plain
numbers; a test checks the numbers against this module. Nothing here imports torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, MutableMapping, Sequence
from fractions import Fraction
from typing import Any

from fzmm.errors import UserError

COCO_IMAGES_WITH_BOXES = 117_266
FLOORS = ("eta_min", "min_lr")  # of a scheduler, in the unit of the rate
"""Images of COCO train2017 that have a box; the other 1,021 are left out of training."""
BATCH_SIZE = 8
EPOCHS = 26
DECAY_AFTER = (Fraction(16, 26), Fraction(22, 26))
"""Shares of training after which the learning rate is multiplied by 0.1."""
LEARNING_RATE = 0.01
WARMUP_ITERS = 1_001
"""``end`` of MMEngine's LinearLR: torchvision's 1,000 steps of the factor, and the one before."""


@dataclasses.dataclass(frozen=True)
class Schedule:
    """A training's length and the points in it, in iterations.

    Attributes:
        max_iters: Iterations of the whole training.
        milestones: Finished iterations after which the learning rate decays.
        warmup_iters: Iterations until the linear warm-up ends, MMEngine's ``end``.
        evaluations: Number of evaluations; the last one is at ``max_iters``.
        lr: Learning rate after the warm-up.
    """

    max_iters: int
    milestones: tuple[int, ...]
    warmup_iters: int
    evaluations: int
    lr: float = LEARNING_RATE

    @property
    def val_interval(self) -> int:
        """Iterations between evaluations."""
        return evaluation_plan(self.max_iters, self.evaluations)[0]

    @property
    def dynamic_intervals(self) -> list[tuple[int, int]] | None:
        """MMEngine's ``dynamic_intervals``, or None where the interval divides ``max_iters``."""
        return evaluation_plan(self.max_iters, self.evaluations)[1]

    @property
    def evaluation_iters(self) -> list[int]:
        """Finished iterations at which the model is evaluated, ascending."""
        regular = [self.val_interval * i for i in range(1, self.evaluations)]
        return [*regular, self.max_iters]


def iterations_per_epoch(images: int, batch_size: int = BATCH_SIZE) -> int:
    """Return the full batches in one pass over ``images``: 14,658 for COCO at 8 images a batch.

    Args:
        images: Images that training sees, those without a box left out.
        batch_size: Images an iteration, over all devices.
    """
    if images < 1 or batch_size < 1:
        raise ValueError(f"images and batch_size must be positive, not {images} and {batch_size}")
    return max(1, images // batch_size)


def study_schedule(
    images: int = COCO_IMAGES_WITH_BOXES,
    *,
    batch_size: int = BATCH_SIZE,
    epochs: int = EPOCHS,
    fraction: float = 1.0,
    lr: float = LEARNING_RATE,
) -> Schedule:
    """Return the schedule of one data amount of a study.

    Args:
        images: Training images with boxes in the **full** training set.
        batch_size: Images an iteration, over all devices.
        epochs: Passes over the full set; every data amount gets the same iterations.
        fraction: The data amount's share of the full set, in (0, 1]; it sets the evaluations, one
            for each pass over the subset: 26, 52 and 104 for COCO100, COCO50 and COCO25.
        lr: Learning rate at ``batch_size``.
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must be in (0, 1], not {fraction}")
    max_iters = epochs * iterations_per_epoch(images, batch_size)
    return Schedule(
        max_iters=max_iters,
        milestones=tuple(round(max_iters * share) for share in DECAY_AFTER),
        # The recipe's are 0.3% of COCO's iterations but could be all of a small dataset's.
        warmup_iters=min(WARMUP_ITERS, max(1, max_iters // 10)),
        evaluations=min(max_iters, max(1, round(epochs / fraction))),
        lr=lr,
    )


def evaluation_plan(max_iters: int, evaluations: int) -> tuple[int, list[tuple[int, int]] | None]:
    """Return ``val_interval`` and ``dynamic_intervals`` that give exactly ``evaluations``.

    A pass over COCO25 is 3,664.5 iterations. Rounded up, the evaluation that belongs to the first
    decay would come 32 iterations after it and show part of its gain; so the interval is rounded
    down, which puts every evaluation at or just before its place. That alone would evaluate once
    more, 52 iterations before the end, so ``dynamic_intervals`` leaves that one out.

    Args:
        max_iters: Iterations of the whole training.
        evaluations: How many evaluations, at least 1; the last one is at ``max_iters``.
    """
    if not 1 <= evaluations <= max_iters:
        raise ValueError(f"{evaluations} evaluations do not fit into {max_iters} iterations")
    interval = max_iters // evaluations
    if interval * evaluations == max_iters:
        return interval, None
    # MMEngine applies an interval from the iteration before its milestone on.
    return interval, [((evaluations - 1) * interval + 2, max_iters)]


def scale_schedule(cfg: MutableMapping[str, Any], k: float) -> None:
    """Keep the images seen when the total batch is ``k`` times the config's; rewrites in place.

    Iterations, milestones, warm-up and intervals are divided by ``k``, the learning rate is
    multiplied by it (the linear scaling rule, Goyal et al. 2017, arXiv:1706.02677), and MMEngine's
    ``auto_scale_lr`` is switched off so that it is not scaled twice.

    Args:
        cfg: An MMEngine config with an iteration-based schedule.
        k: New total batch / the batch of the config's schedule.

    Raises:
        UserError: If the schedule counts epochs, or nothing would be left of it.
    """
    _rewrite(cfg, Fraction(k).limit_denominator(10**6), "--scale-schedule")
    optimizer = cfg["optim_wrapper"]["optimizer"]
    optimizer["lr"] = float(optimizer["lr"] * k)
    for scheduler in _schedulers(cfg):
        for key in FLOORS:  # absolute rates follow the rate they bound
            if key in scheduler:
                scheduler[key] = _map_numbers(scheduler[key], lambda value: float(value * k))
    auto = cfg.get("auto_scale_lr")
    if auto:
        auto["enable"] = False


def apply_budget(cfg: MutableMapping[str, Any], fraction: float) -> None:
    """Shorten the whole schedule to ``fraction`` of its iterations; rewrites in place.

    Decays, warm-up and evaluations keep their share of the training; the learning rate stays.

    Args:
        cfg: An MMEngine config with an iteration-based schedule.
        fraction: Share of the iterations to keep, in (0, 1].

    Raises:
        UserError: If ``fraction`` is out of range, the schedule counts epochs, or nothing is left.
    """
    if not 0 < fraction <= 1:
        raise UserError(f"--budget must be above 0 and at most 1, not {fraction:g}")
    share = Fraction(fraction).limit_denominator(10**6)
    if not share:
        raise UserError(
            f"--budget {fraction:g} leaves nothing of the schedule; give a larger share"
        )
    _rewrite(cfg, 1 / share, "--budget")


def evaluations_of(train_cfg: MutableMapping[str, Any]) -> int:
    """Return how often a loop with this ``train_cfg`` evaluates, the end included."""
    max_iters = train_cfg["max_iters"]
    interval = train_cfg.get("val_interval", 1000)
    steps = sorted(
        (milestone - 1, value) for milestone, value in train_cfg.get("dynamic_intervals") or []
    )
    begin = max(1, train_cfg.get("val_begin", 1))
    count, start = 0, 0
    for stop, following in [*steps, (max_iters, interval)]:
        stop = min(stop, max_iters)
        # evaluated: multiples of the interval in [start, stop), and never the end, counted below
        count += max(0, (stop - 1) // interval - (max(start, begin) - 1) // interval)
        start, interval = stop, following
    return count + 1


def _rewrite(cfg: MutableMapping[str, Any], divisor: Fraction, option: str) -> None:
    """Divide every number of iterations of ``cfg`` by ``divisor``, rounding to the nearest."""
    train_cfg = cfg.get("train_cfg") or {}
    if "max_iters" not in train_cfg or train_cfg.get("by_epoch"):
        raise UserError(
            f"{option} needs a schedule in iterations: give the config "
            "train_cfg = dict(type='IterBasedTrainLoop', max_iters=..., val_interval=...)"
        )

    def shorter(value: int) -> int:
        return max(1, round(value / divisor))

    max_iters = shorter(train_cfg["max_iters"])
    if max_iters < 2 and train_cfg["max_iters"] > max_iters:
        raise UserError(f"{option} leaves {max_iters} of {train_cfg['max_iters']} iterations")
    evaluations = min(evaluations_of(train_cfg), max_iters)
    train_cfg["max_iters"] = max_iters
    train_cfg.pop("dynamic_intervals", None)
    if train_cfg.get("val_begin", 1) > 1:
        train_cfg["val_begin"] = shorter(train_cfg["val_begin"])
        train_cfg["val_interval"] = shorter(train_cfg.get("val_interval", 1000))
    else:
        train_cfg["val_interval"], dynamic = evaluation_plan(max_iters, evaluations)
        if dynamic:
            train_cfg["dynamic_intervals"] = dynamic

    for scheduler in _schedulers(cfg):
        if scheduler.get("by_epoch", True):
            # Plateau rules count evaluations, whose number stays as it is.
            continue
        for key in ("end", "T_max", "step_size", "total_steps"):
            if isinstance(scheduler.get(key), int):
                scheduler[key] = shorter(scheduler[key])
        if isinstance(scheduler.get("begin"), int):
            scheduler["begin"] = round(scheduler["begin"] / divisor)
        if "milestones" in scheduler:
            scheduler["milestones"] = [shorter(value) for value in scheduler["milestones"]]

    hooks = [*(cfg.get("default_hooks") or {}).values(), *(cfg.get("custom_hooks") or [])]
    for hook in hooks:
        name = hook.get("type") if hook else None
        saves = "CheckpointHook" in getattr(name, "__name__", str(name))
        if saves and not hook.get("by_epoch", True) and hook.get("interval", -1) > 0:
            hook["interval"] = shorter(hook["interval"])


def _schedulers(cfg: MutableMapping[str, Any]) -> list[MutableMapping[str, Any]]:
    schedulers = cfg.get("param_scheduler") or []
    return [schedulers] if isinstance(schedulers, MutableMapping) else list(schedulers)


def _map_numbers(value: Any, function: Callable[[float], float]) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [function(item) for item in value]
    return function(value)
