"""The frozen-aware backbone against MMDetection's, for outputs, gradients and checkpoints."""

import copy

import pytest
import torch
from mmdet.registry import MODELS

from fzmm.scenarios import FROZEN_STAGES

from ..conftest import randomise_norms
from .comparison import assert_same


def backbones(depth=18, **kwargs):
    kwargs.setdefault("norm_cfg", dict(type="BN", requires_grad=False))
    torch.manual_seed(0)
    stock = randomise_norms(MODELS.build(dict(type="ResNet", depth=depth, **kwargs)))
    fast = MODELS.build(dict(type="FrozenAwareResNet", depth=depth, **kwargs))
    fast.load_state_dict(stock.state_dict())
    stock.train()
    fast.train()
    return stock, fast


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("frozen_stages", FROZEN_STAGES)
def test_same_outputs_and_gradients(depth, frozen_stages):
    assert_same(*backbones(depth, frozen_stages=frozen_stages))


@pytest.mark.parametrize("frozen_stages", [-1, 2])
def test_same_gradients_of_trained_affine_parameters(frozen_stages):
    norm_cfg = dict(type="BN", requires_grad=True)
    stock, fast = backbones(frozen_stages=frozen_stages, norm_cfg=norm_cfg)
    assert_same(stock, fast)
    assert fast.layer3[0].bn1.weight.grad is not None


@pytest.mark.parametrize("frozen_stages", [-1, 2])
def test_live_batch_norm_is_not_folded(frozen_stages):
    norm_cfg = dict(type="BN", requires_grad=True)
    stock, fast = backbones(frozen_stages=frozen_stages, norm_cfg=norm_cfg, norm_eval=False)
    assert_same(stock, fast, rtol=1e-2)
    assert fast.layer4[0].bn1.num_batches_tracked == stock.layer4[0].bn1.num_batches_tracked == 1
    for name, buffer in stock.named_buffers():
        torch.testing.assert_close(dict(fast.named_buffers())[name], buffer, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "extra",
    [
        dict(style="caffe", depth=50),
        dict(deep_stem=True, avg_down=True, depth=50),
        dict(with_cp=True),
        dict(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2), depth=50),
        dict(num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(1, 2)),
    ],
    ids=["caffe", "resnet-d", "checkpointing", "dilated", "three stages"],
)
def test_variants_of_the_architecture(extra):
    stock, fast = backbones(frozen_stages=1, **extra)
    # some CPUs' kernels round a sum to the other side of a ReLU: 1.6e-4 of a gradient; in double
    # precision none does
    assert_same(stock, fast, rtol=5e-4, output_rtol=1e-5)
    for model in (stock, fast):
        model.double().zero_grad()
    assert_same(stock, fast, torch.randn(2, 3, 64, 96).double(), rtol=1e-8)


def test_frozen_prefix_has_no_graph_and_input_gradients_still_work():
    stock, fast = backbones(frozen_stages=3)
    outs = fast(torch.randn(1, 3, 64, 64))
    assert [out.requires_grad for out in outs] == [False, False, False, True]
    x = torch.randn(1, 3, 64, 64)
    grads = []
    for model in (stock, fast):
        image = x.clone().requires_grad_()
        model(image)[-1].sum().backward()
        grads.append(image.grad)
    assert (grads[0] - grads[1]).norm() <= 1e-4 * grads[0].norm()


def test_prefix_outputs_are_not_overwritten_by_later_blocks():
    _, fast = backbones(frozen_stages=4)
    x = torch.randn(1, 3, 64, 64)
    first = [out.clone() for out in fast(x)]
    for out, again in zip(first, fast(x), strict=True):
        assert torch.equal(out, again)


@pytest.mark.parametrize("training", [True, False])
def test_checkpoints_are_exchanged_with_plain_resnet_both_ways(training):
    stock, fast = backbones(frozen_stages=2)
    stock.train(training), fast.train(training)
    assert list(stock.state_dict()) == list(fast.state_dict())
    fast(torch.randn(1, 3, 64, 64))  # whatever was folded is in no checkpoint
    assert list(stock.state_dict()) == list(fast.state_dict())
    other = randomise_norms(MODELS.build(dict(type="FrozenAwareResNet", depth=18)))
    stock.load_state_dict(other.state_dict())
    fast.load_state_dict(other.state_dict())  # folded weights must follow
    assert_same(stock, fast)


@pytest.mark.parametrize("training", [True, False])
def test_folded_weights_follow_every_change_of_what_they_were_made_of(training):
    stock, fast = backbones(frozen_stages=4)
    stock.train(training), fast.train(training)
    x = torch.randn(1, 3, 64, 64)
    fast(x)
    for model in (stock, fast):
        with torch.no_grad():
            model.layer1[0].conv1.weight.mul_(1.5)
            model.layer2[0].bn1.running_mean.add_(0.5)
            model.bn1.weight.mul_(0.5)
    assert_same(stock, fast, x)
    stock, fast = stock.double(), fast.double()
    assert_same(stock, fast, x.double())
    for model in (stock, fast):
        model.float().layer3[0].conv1.weight.data.mul_(1.5)  # leaves no trace in the version
        model.eval()
    assert_same(stock, fast, x)
    twin = copy.deepcopy(fast)
    with torch.no_grad():
        twin.conv1.weight.zero_()
    assert_same(stock, fast, x)
    assert not torch.equal(twin(x)[0], fast(x)[0])


def test_folds_are_kept_until_the_mode_changes():
    """MMEngine's loop says train() before every step."""
    _, fast = backbones(frozen_stages=4)
    fast.eval()
    fast(torch.randn(1, 3, 64, 64))
    kept = dict(fast._folds._entries)
    assert kept
    fast.eval()
    fast(torch.randn(1, 3, 64, 64))
    assert all(entry is kept[key] for key, entry in fast._folds._entries.items())
    fast.train()
    assert not fast._folds._entries


def test_a_training_keeps_all_folds_of_small_maps_and_some_of_large_ones():
    _, fast = backbones(frozen_stages=4)
    weights = sum(p.numel() for p in fast.parameters() if p.dim() == 4)

    def kept(x):
        fast(x)
        return sum(entry[1].numel() for entry in fast._folds._entries.values())

    large, small = torch.randn(8, 3, 256, 256), torch.randn(1, 3, 64, 64)
    assert 0 < kept(large) < 0.1 * weights
    assert kept(small) == weights


def test_what_was_computed_before_plays_no_part():
    """A resumed run would not be the same to the bit otherwise."""
    _, fast = backbones(depth=50, frozen_stages=4)
    x = torch.randn(2, 3, 96, 64)
    fresh = fast(x)
    _, other = backbones(depth=50, frozen_stages=4)
    for size in (32, 160):
        other(torch.randn(1, 3, size, size))
    assert all(torch.equal(a, b) for a, b in zip(fresh, other(x), strict=True))


def test_evaluation_mode_equals_stock():
    for kwargs in (dict(frozen_stages=1), dict(frozen_stages=-1, norm_eval=False)):
        stock, fast = backbones(**kwargs)
        stock.eval(), fast.eval()
        with torch.no_grad():
            assert_same(stock, fast)


@pytest.mark.parametrize("channels_last_outputs", [False, True])
def test_memory_format_of_the_outputs(channels_last_outputs):
    fast = MODELS.build(
        dict(type="FrozenAwareResNet", depth=18, channels_last_outputs=channels_last_outputs)
    )
    layout = torch.channels_last if channels_last_outputs else torch.contiguous_format
    for out in fast(torch.randn(2, 3, 64, 64)):
        assert out.is_contiguous(memory_format=layout)


def test_bfloat16_autocast_is_close():
    stock, fast = backbones(frozen_stages=2)
    x = torch.randn(1, 3, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        outs = fast(x)
    for out, fast_out in zip(stock(x), outs, strict=True):
        assert fast_out.dtype == torch.bfloat16
        assert (out - fast_out.float()).norm() <= 0.05 * out.norm()
    sum(out.float().mean() for out in outs).backward()
    assert fast.layer3[0].conv1.weight.grad.dtype == torch.float32


def test_random_weights_are_those_of_plain_resnet():
    weights = []
    for kind in ("ResNet", "FrozenAwareResNet"):
        torch.manual_seed(0)
        model = MODELS.build(dict(type=kind, depth=18, base_channels=8))
        model.init_weights()
        weights.append(model.state_dict())
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name


def test_torch_compile_leaves_gradients_on():
    _, fast = backbones(frozen_stages=1)
    compiled = torch.compile(fast.forward, backend="eager")
    for size in (64, 96):
        outs = compiled(torch.randn(1, 3, size, size))
        assert torch.is_grad_enabled()
        assert [out.requires_grad for out in outs] == [False, True, True, True]
