"""The learning rate's schedule of a base whose optimizer has its own, in proportion to a study's.

SGD detectors of MMDetection are all trained by the step schedule that the study has. Those with
AdamW and the like (DETR, Swin) decay once and late, by a cosine, or warm up over another share;
putting the study's schedule in their place would train them as nobody does.
"""

from __future__ import annotations

from typing import Any

from fzmm.errors import UserError
from fzmm.schedules import COCO_IMAGES_WITH_BOXES, FLOORS

# What a scheduler counts in its unit of time.
_TIMES = ("begin", "end", "T_max", "total_iters", "step_size")


def has_own_schedule(cfg: Any) -> bool:
    """Whether a base's optimizer is another than SGD and comes with schedulers."""
    return cfg.optim_wrapper.optimizer.type != "SGD" and bool(cfg.get("param_scheduler"))


def proportional_schedulers(cfg: Any, max_iters: int, lr: float) -> list[dict[str, Any]]:
    """Return a base's schedulers, each point at the same share of a training of ``max_iters``.

    Args:
        cfg: The base's config.
        max_iters: Iterations of the study's runs.
        lr: Their learning rate: the lowest rate keeps its share of it.

    Raises:
        UserError: If the base does not say how long it trains.
    """
    factor = lr / cfg.optim_wrapper.optimizer.lr
    return [
        with_floor(_proportional(_with_own_floor(one, cfg), cfg, max_iters), factor)
        for one in _schedulers(cfg)
    ]


def with_floor(scheduler: dict[str, Any], factor: float) -> dict[str, Any]:
    """Return a scheduler for a learning rate that is ``factor`` times another."""
    floors = {key: scheduler[key] * factor for key in FLOORS if key in scheduler}
    return {**scheduler, **floors}


def decays_of(schedulers: list[dict[str, Any]]) -> tuple[int, ...]:
    """Return the iterations after which the rate decays by steps."""
    return tuple(step for one in schedulers for step in one.get("milestones", ()))


def absolute_floors(cfg: Any) -> list[str]:
    """Return the schedulers of a base whose rates end at a number, not at a share of their own."""
    schedulers = [_with_own_floor(one, cfg) for one in _schedulers(cfg)]
    return [one["type"] for one in schedulers if any(one.get(floor) for floor in FLOORS)]


def _schedulers(cfg: Any) -> list[dict[str, Any]]:
    schedulers = cfg.param_scheduler
    schedulers = schedulers if isinstance(schedulers, list | tuple) else [schedulers]
    return [dict(one) for one in schedulers]


def _with_own_floor(scheduler: dict[str, Any], cfg: Any) -> dict[str, Any]:
    """Return a cosine whose lowest rate is a share of each parameter's own, as in its base."""
    if scheduler["type"].startswith("Cosine") and "eta_min" in scheduler:
        share = scheduler.pop("eta_min") / cfg.optim_wrapper.optimizer.lr
        scheduler["eta_min_ratio"] = share
    return scheduler


def _proportional(scheduler: dict[str, Any], cfg: Any, max_iters: int) -> dict[str, Any]:
    by_epoch = scheduler.get("by_epoch", True)
    scheduler.pop("convert_to_iter_based", None)
    factor = max_iters / _length(cfg, by_epoch)
    for name in _TIMES:
        if isinstance(scheduler.get(name), int):
            scheduler[name] = min(round(scheduler[name] * factor), max_iters)
    if "end" in scheduler:  # MMEngine wants two iterations at least
        scheduler["end"] = max(scheduler["end"], scheduler.get("begin", 0) + 2)
    if "milestones" in scheduler:
        scheduler["milestones"] = [round(step * factor) for step in scheduler["milestones"]]
    return {**scheduler, "by_epoch": False}


def _length(cfg: Any, by_epoch: bool) -> float:
    """Return how long the base trains, in epochs or iterations.

    An epoch is one of COCO, which MMDetection's configs are made for.
    """
    train_cfg = cfg.get("train_cfg") or {}
    epochs, iterations = train_cfg.get("max_epochs"), train_cfg.get("max_iters")
    batch = (cfg.get("auto_scale_lr") or {}).get("base_batch_size")
    if by_epoch and epochs:
        return epochs
    if not by_epoch and iterations:
        return iterations
    if not by_epoch and epochs and batch:
        return epochs * (COCO_IMAGES_WITH_BOXES // batch)
    raise UserError(
        "--base: its optimizer has a schedule of its own, and its train_cfg does not say how long "
        "that is; give max_epochs (or max_iters) and auto_scale_lr.base_batch_size"
    )
