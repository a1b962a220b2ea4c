"""The fast recipe: what it does to a config, and a step in each mode."""

import copy
import pickle
from pathlib import Path
from unittest import mock

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from fzmm.engine.optimizers.amp_optim_wrapper import best_dtype
from fzmm.engine.runner.fast import FasterModulesRunner, FastRunner, apply_fast
from fzmm.models.faster_modules import use_faster_modules
from tests.models.conftest import detector_cfg, make_batch, randomise_norms

ROOT = Path(__file__).parents[3]
OPTIM_WRAPPER = dict(
    type="OptimWrapper", optimizer=dict(type="SGD", lr=0.001, momentum=0.9, weight_decay=1e-4)
)


def config(frozen_stages=2):
    return Config(
        dict(
            model=detector_cfg(frozen_stages).to_dict(),
            optim_wrapper=copy.deepcopy(OPTIM_WRAPPER),
            train_dataloader=dict(batch_size=2),
        )
    )


def test_applying_it_twice_changes_nothing():
    once = apply_fast(config())
    assert apply_fast(copy.deepcopy(once)).to_dict() == once.to_dict()
    assert once.custom_imports["imports"] == ["fzmm.register"]
    assert once.optim_wrapper.type == "AutoAmpOptimWrapper"
    assert once.optim_wrapper.optimizer.fused is True


def test_an_unknown_optim_wrapper_and_optimizer_are_kept():
    cfg = config()
    cfg.optim_wrapper = dict(type="ApexOptimWrapper", optimizer=dict(type="Lion", lr=1e-4))
    cfg = apply_fast(cfg)
    assert cfg.optim_wrapper.type == "ApexOptimWrapper"
    assert "fused" not in cfg.optim_wrapper.optimizer


def test_one_line_in_a_config_switches_it_on(tmp_path):
    cfg = config()
    cfg.runner_type = "FastRunner"
    cfg = only_testing(cfg, tmp_path)
    runner = RUNNERS.build(cfg)
    assert type(runner) is FastRunner
    assert type(runner.model.backbone).__name__ == "FrozenAwareResNet"


STOCK = ["ResNet", "RPNHead", "SingleRoIExtractor", "Shared2FCBBoxHead"]
OURS = ["FrozenAwareResNet", "SampledRPNHead", "GatherRoIExtractor", "OneDNNShared2FCBBoxHead"]


def types(model):
    parts = ("backbone", "rpn_head", "roi_head.bbox_roi_extractor", "roi_head.bbox_head")
    return [type(model.get_submodule(part)).__name__ for part in parts]


def test_the_configs_name_stock_modules_and_one_line_swaps_ours_in(tmp_path):
    """On a CPU, that is; the config that the runner dumps keeps the stock names."""
    cfg = Config.fromfile(ROOT / "configs" / "fz" / "coco50_frozen2.py")
    assert cfg.runner_type == "FasterModulesRunner"
    cfg.model.backbone.init_cfg = None
    runner = RUNNERS.build(only_testing(cfg, tmp_path / "a"))
    cfg.pop("runner_type")
    stock = Runner.from_cfg(only_testing(cfg, tmp_path / "b"))
    assert types(stock.model) == STOCK
    assert types(runner.model) == (STOCK if torch.cuda.is_available() else OURS)
    assert runner.cfg.model.to_dict() == stock.cfg.model.to_dict() == cfg.model.to_dict()
    assert list(stock.model.state_dict()) == list(runner.model.state_dict())


def test_on_cuda_stock_modules_stay_and_fast_says_that_it_is_made_for_cpus(tmp_path, caplog):
    cfg = Config.fromfile(ROOT / "configs" / "fz" / "coco50_frozen2.py")
    cfg.model.backbone.init_cfg = None
    with mock.patch("fzmm.engine.runner.fast.get_device", lambda: "cuda"):
        runner = FasterModulesRunner.from_cfg(only_testing(copy.deepcopy(cfg), tmp_path))
        assert types(runner.model) == STOCK
        logger = MMLogger.get_current_instance()
        with mock.patch.object(logger, "handlers", [caplog.handler]):
            assert apply_fast(cfg).model.backbone.type == "FrozenAwareResNet"
    assert "on cuda it may be slower than stock modules" in caplog.text


def only_testing(cfg, work_dir):
    """Without datasets: a runner that could only build its model."""
    cfg = Config(
        {key: cfg[key] for key in ("model", "runner_type", "custom_imports") if key in cfg}
    )
    cfg.merge_from_dict(dict(default_scope="mmdet", work_dir=str(work_dir)))
    cfg.test_dataloader = dict(batch_size=1, dataset=dict(type="CocoDataset", lazy_init=True))
    cfg.test_cfg, cfg.test_evaluator = dict(type="TestLoop"), dict(type="FastCocoMetric")
    return cfg


@pytest.mark.parametrize("mode", ["stock", "fp32", "fast"])
def test_a_step_of_each_mode_trains_what_is_not_frozen(mode):
    cfg = config(frozen_stages=2)
    if mode == "fp32":
        cfg.model = use_faster_modules(cfg.model)
    elif mode == "fast":
        cfg = apply_fast(cfg)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.train()
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for _ in range(2):
        logs = model.train_step(copy.deepcopy(make_batch()), wrapper)
    assert torch.isfinite(logs["loss"])
    frozen = ("backbone.conv1", "backbone.layer1", "backbone.layer2")
    for name, p in model.named_parameters():
        changed = not torch.equal(p, before[name])
        is_frozen = name.startswith(frozen) or ".bn" in name or "downsample.1" in name
        assert changed != is_frozen, name
        assert p.dtype == torch.float32
    restored = pickle.loads(pickle.dumps(wrapper.state_dict()))
    for other in (OPTIM_WRAPPER, cfg.optim_wrapper):
        build_optim_wrapper(model, other).load_state_dict(copy.deepcopy(restored))


@pytest.mark.parametrize("begin_fast", [True, False])
def test_a_training_goes_on_with_the_other_recipe(begin_fast):
    """A checkpoint of one recipe continues in the other: the same weights after the next step.

    Their convolution weights lie in memory in different orders, and fused kernels do not look.
    """
    models, wrappers = [], []
    for fast in (begin_fast, not begin_fast):
        cfg = config(frozen_stages=2)
        if fast:
            cfg = apply_fast(cfg)
            cfg.optim_wrapper.dtype = "float32"  # or rounding would hide what is compared
        torch.manual_seed(0)
        models.append(randomise_norms(MODELS.build(cfg.model)))
        models[-1].train()
        wrappers.append(build_optim_wrapper(models[-1], cfg.optim_wrapper))
    for seed in (1, 2):
        torch.manual_seed(seed)
        models[0].train_step(copy.deepcopy(make_batch(seed)), wrappers[0])
    state = pickle.dumps((models[0].state_dict(), wrappers[0].state_dict()))
    weights, optimizer = pickle.loads(state)
    models[1].load_state_dict(weights)
    wrappers[1].load_state_dict(optimizer)
    # the step itself, without the sampling of proposals, which rounding could change
    gradients = {name: torch.rand_like(p) for name, p in models[0].named_parameters()}
    for model, wrapper in zip(models, wrappers, strict=True):
        for name, p in model.named_parameters():
            p.grad = torch.empty_like(p).copy_(gradients[name]) if p.requires_grad else None
        wrapper.optimizer.step()
    for (name, a), b in zip(models[0].named_parameters(), models[1].parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7, msg=name)
    fused = [wrapper.optimizer.param_groups[0]["fused"] for wrapper in wrappers]
    assert fused == ([True, None] if begin_fast else [None, True])


@pytest.mark.skipif(torch.cuda.is_available(), reason="MMEngine's own works with a GPU")
def test_stock_amp_needs_a_gpu_and_ours_does_not():
    cfg = config()
    model = MODELS.build(use_faster_modules(cfg.model))
    with pytest.raises(AssertionError, match="only available"):
        build_optim_wrapper(model, dict(OPTIM_WRAPPER, type="AmpOptimWrapper"))
    wrapper = build_optim_wrapper(
        model, dict(OPTIM_WRAPPER, type="AutoAmpOptimWrapper", dtype="bfloat16")
    )
    assert torch.isfinite(model.train_step(make_batch(), wrapper)["loss"])
    assert not wrapper.loss_scaler.is_enabled()
    assert best_dtype("cpu") in (torch.bfloat16, None)


def test_float16_scales_losses_and_skips_overflows():
    parameter = torch.nn.Parameter(torch.ones(2))
    from fzmm.engine.optimizers.amp_optim_wrapper import AutoAmpOptimWrapper

    optimizer = torch.optim.SGD([parameter], lr=1.0)
    wrapper = AutoAmpOptimWrapper(optimizer, dtype="float16", loss_scale=1024.0)
    wrapper.update_params((parameter * torch.tensor([1.0, float("inf")])).sum())
    assert torch.equal(parameter.data, torch.ones(2))  # skipped
    wrapper.update_params((parameter * 0.25).sum())
    assert torch.equal(parameter.data, torch.full((2,), 0.75))
    assert wrapper.loss_scaler.get_scale() == 1024.0  # a number is a constant, as in MMEngine
    wrapper = AutoAmpOptimWrapper(optimizer, dtype="float16", loss_scale=dict(init_scale=1024.0))
    wrapper.update_params((parameter * torch.tensor([1.0, float("inf")])).sum())
    state = wrapper.state_dict()
    assert state["loss_scaler"]["scale"] == 512.0
    other = AutoAmpOptimWrapper(torch.optim.SGD([parameter], lr=1.0), dtype="float16")
    other.load_state_dict(state)
    assert other.loss_scaler.get_scale() == 512.0
    for dtype, expected in (("float32", None), (torch.bfloat16, torch.bfloat16)):
        assert AutoAmpOptimWrapper(optimizer, dtype=dtype).cast_dtype == expected
    with pytest.raises(ValueError, match="dtype"):
        AutoAmpOptimWrapper(optimizer, dtype="int8")
