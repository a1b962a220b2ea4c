"""A mistake in a hook's or the optimiser's settings is one line, before anything is built."""

import pytest
from mmengine.config import Config

from fzmm.engine.runner.check_settings import check_settings
from fzmm.errors import UserError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(type="OverfitStopHook", patience=1), "OverfitStopHook: patience is 1; give a whole"),
        (dict(type="OverfitStopHook", margin=float("nan")), "margin is nan; give a finite number"),
        (dict(type="OverfitStopHook", patiense=3), "unexpected keyword argument 'patiense'"),
        (dict(type="TrainSplitMetricHook", interval=0), "interval is 0; give a whole number"),
        (dict(type="TrainSplitMetricHook", num_images="all"), "num_images is 'all'"),
        (dict(type="BoundedHistoryHook", length=0), "length is 0"),
        (dict(type="FiniteLossHook", tolerance=-1), "tolerance is -1"),
        (dict(type="TrainingTimeHook", interval=0), "interval is 0"),
        (dict(type="PreemptionHook", signals=["SIGNONE"]), "there is no signal 'SIGNONE'"),
        (dict(type="AtomicCheckpointHook", save_best="auto", rule="best"), "custom_hooks[0]"),
        (dict(type="PlateauHook"), "there is no hook 'PlateauHook'"),
    ],
)
def test_hooks(options, message, config):
    cfg = Config.fromfile(config())
    cfg.custom_hooks = [options]
    with pytest.raises(UserError) as error:
        check_settings(cfg)
    assert message in str(error.value)
    assert f"{cfg.filename}: custom_hooks[0]" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("lr", [float("inf"), float("nan"), 0, -0.1, "0.1"])
def test_rates(lr, config):
    cfg = Config.fromfile(config())
    check_settings(cfg)
    cfg.optim_wrapper.optimizer.lr = lr
    with pytest.raises(UserError, match="optim_wrapper.optimizer.lr is "):
        check_settings(cfg)


@pytest.mark.parametrize("seed", [-1, 2**32, 10**30, 0.5, "1"])
def test_seeds(seed, config):
    cfg = Config.fromfile(config())
    cfg.randomness = dict(seed=seed)
    with pytest.raises(UserError, match="randomness.seed is .*; give a whole number from 0"):
        check_settings(cfg)
    cfg.randomness = dict(seed=2**32 - 1)
    check_settings(cfg)


def test_a_config_on_a_base_of_the_package_is_as_good_as_the_base(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text('_base_ = "fzmm::toy/toy100_unfrozen.py"\n')
    cfg = Config.fromfile(path)
    assert cfg.default_hooks.exact_resume["_scope_"]  # which MMEngine puts into every hook
    check_settings(cfg)
