import pytest
from mmengine.config import Config

from fzmm.errors import UserError
from fzmm.schedules import (
    apply_budget,
    evaluation_plan,
    evaluations_of,
    scale_schedule,
    study_schedule,
)


def recipe(fraction=1.0):
    schedule = study_schedule(fraction=fraction)
    train_cfg = dict(
        type="IterBasedTrainLoop",
        max_iters=schedule.max_iters,
        val_interval=schedule.val_interval,
    )
    if schedule.dynamic_intervals:
        train_cfg["dynamic_intervals"] = schedule.dynamic_intervals
    return Config(
        dict(
            train_cfg=train_cfg,
            param_scheduler=[
                dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=1000),
                dict(type="MultiStepLR", by_epoch=False, milestones=list(schedule.milestones)),
            ],
            optim_wrapper=dict(optimizer=dict(type="SGD", lr=schedule.lr)),
            default_hooks=dict(
                checkpoint=dict(type="CheckpointHook", by_epoch=False, interval=1000)
            ),
            auto_scale_lr=dict(enable=True, base_batch_size=8),
        )
    )


def evaluated_by_mmengine(train_cfg):
    """The finished iterations at which MMEngine's loop evaluates, by its own rule."""
    import bisect

    from mmengine.runner.utils import calc_dynamic_intervals

    milestones, intervals = calc_dynamic_intervals(
        train_cfg["val_interval"], train_cfg.get("dynamic_intervals")
    )
    out = []
    for n in range(1, train_cfg["max_iters"] + 1):
        interval = intervals[bisect.bisect(milestones, n + 1) - 1]
        if n >= train_cfg.get("val_begin", 1) and (
            n % interval == 0 or n == train_cfg["max_iters"]
        ):
            out.append(n)
    return out


@pytest.mark.parametrize(
    ("fraction", "evaluations", "interval"), [(1, 26, 14_658), (0.5, 52, 7_329), (0.25, 104, 3_664)]
)
def test_numbers_of_the_thesis(fraction, evaluations, interval):
    schedule = study_schedule(fraction=fraction)
    assert schedule.max_iters == 381_108 == 26 * 14_658
    assert schedule.milestones == (234_528, 322_476) == (16 * 14_658, 22 * 14_658)
    assert schedule.warmup_iters == 1_001
    assert (schedule.evaluations, schedule.val_interval) == (evaluations, interval)
    cfg = recipe(fraction)
    assert evaluated_by_mmengine(cfg.train_cfg) == schedule.evaluation_iters
    assert evaluations_of(cfg.train_cfg) == evaluations
    # No evaluation shows a part of a decay's gain: each is at it, or a good way from it.
    for milestone in schedule.milestones:
        assert not any(milestone < n < milestone + 1000 for n in schedule.evaluation_iters)


@pytest.mark.parametrize("max_iters", [1, 7, 26, 97, 400, 1001])
def test_exact_number_of_evaluations(max_iters):
    for evaluations in {1, 2, 3, 5, 26, 52} & set(range(1, max_iters + 1)):
        interval, dynamic = evaluation_plan(max_iters, evaluations)
        train_cfg = dict(max_iters=max_iters, val_interval=interval)
        if dynamic:
            train_cfg["dynamic_intervals"] = dynamic
        done = evaluated_by_mmengine(train_cfg)
        assert len(done) == evaluations == evaluations_of(train_cfg)
        assert done[-1] == max_iters


@pytest.mark.parametrize(
    "train_cfg",
    [
        dict(max_iters=100, val_interval=30),
        dict(max_iters=100, val_interval=7, val_begin=50),
        dict(max_iters=100, val_interval=10, dynamic_intervals=[(41, 20), (90, 3)]),
        dict(max_iters=20, val_interval=50),
    ],
)
def test_evaluations_of_any_loop(train_cfg):
    assert evaluations_of(train_cfg) == len(evaluated_by_mmengine(train_cfg))


def test_scale_schedule_keeps_the_images_seen():
    cfg = recipe()
    scale_schedule(cfg, 2)
    assert cfg.train_cfg.max_iters == 190_554
    assert cfg.train_cfg.val_interval == 7_329
    assert cfg.param_scheduler[0].end == 500
    assert cfg.param_scheduler[1].milestones == [117_264, 161_238]
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(0.02)
    assert cfg.default_hooks.checkpoint.interval == 500
    assert cfg.auto_scale_lr.enable is False


def test_scale_schedule_down_and_back():
    cfg = recipe(0.25)
    scale_schedule(cfg, 0.25)
    assert cfg.train_cfg.max_iters == 4 * 381_108
    assert cfg.train_cfg.val_interval == 14_658
    assert "dynamic_intervals" not in cfg.train_cfg
    scale_schedule(cfg, 4)
    assert cfg.train_cfg.to_dict() == recipe(0.25).train_cfg.to_dict()
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(0.01)


def test_budget_keeps_shares():
    cfg = recipe(0.5)
    apply_budget(cfg, 0.1)
    assert cfg.train_cfg.max_iters == 38_111
    assert cfg.param_scheduler[1].milestones == [23_453, 32_248]
    assert cfg.param_scheduler[0].end == 100
    assert cfg.optim_wrapper.optimizer.lr == 0.01
    assert len(evaluated_by_mmengine(cfg.train_cfg)) == 52


def test_refusals():
    for share in (0, -1, 1.5, float("nan"), float("inf")):
        with pytest.raises(UserError, match="--budget must be above 0"):
            apply_budget(recipe(), share)
    with pytest.raises(UserError, match="--budget 1e-09 leaves nothing of the schedule"):
        apply_budget(recipe(), 1e-9)
    with pytest.raises(UserError, match="schedule in iterations"):
        apply_budget(Config(dict(train_cfg=dict(by_epoch=True, max_epochs=12))), 0.5)
    with pytest.raises(UserError, match="leaves 1 of"):
        apply_budget(recipe(), 1e-6)


def test_no_torch():
    import subprocess
    import sys

    code = "import sys, fzmm.schedules; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
