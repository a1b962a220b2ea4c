"""The whole detector with fzmm's modules against MMDetection's own."""

import copy
from unittest import mock

import pytest
import torch

from fzmm.models.cpu.onednn_bbox_head import OneDNNLinear
from fzmm.scenarios import FROZEN_STAGES

from .conftest import build, detector_cfg, fast_types, make_batch


def pair(**kwargs):
    cfg = detector_cfg(**kwargs)
    stock, fast = build(cfg), build(fast_types(cfg))
    fast.load_state_dict(stock.state_dict())
    return stock, fast


def losses_and_gradients(model, batch, proposals=None, **autocast):
    """One step; ``proposals`` replaces the RPN's, for rounding can swap two of equal score."""
    torch.manual_seed(1)
    seen = []
    predict = model.rpn_head.predict_by_feat

    def record(*args, **kwargs):
        seen.extend(predict(*args, **kwargs))
        return copy.deepcopy(seen if proposals is None else proposals)

    with mock.patch.object(model.rpn_head, "predict_by_feat", record):
        with torch.autocast("cpu", torch.bfloat16, enabled=bool(autocast)):
            data = model.data_preprocessor(copy.deepcopy(batch), True)
            losses = model(**data, mode="loss")
    loss, log = model.parse_losses(losses)
    loss.backward()
    grads = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return {k: v.item() for k, v in log.items()}, grads, seen


def assert_same_step(stock, fast, batch):
    losses, grads, proposals = losses_and_gradients(stock, batch)
    fast_losses, fast_grads, fast_proposals = losses_and_gradients(fast, batch, proposals)
    assert losses.keys() == fast_losses.keys()
    for name, value in losses.items():
        assert fast_losses[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
    assert grads.keys() == fast_grads.keys()
    for name, grad in grads.items():
        if grad.norm() > 1e-7:
            cosine = torch.cosine_similarity(grad.flatten(), fast_grads[name].flatten(), 0)
            assert cosine > 0.9999, name
    return proposals, fast_proposals


@pytest.mark.parametrize("frozen_stages", FROZEN_STAGES)
def test_same_losses_and_gradients(frozen_stages, batch):
    proposals, fast_proposals = assert_same_step(*pair(frozen_stages=frozen_stages), batch)
    for ours, theirs in zip(fast_proposals, proposals, strict=True):
        # sorted by score; which of two equals comes first is rounding's choice
        assert len(ours) == pytest.approx(len(theirs), abs=2)
        n = min(len(ours), len(theirs))
        torch.testing.assert_close(ours.scores[:n], theirs.scores[:n], rtol=1e-3, atol=1e-4)


def test_images_without_boxes_and_with_ignored_ones():
    batch = make_batch(boxes=3)
    first, second = batch["data_samples"]
    first.gt_instances = first.gt_instances[:0]
    second.ignored_instances = copy.deepcopy(second.gt_instances[:1])
    second.gt_instances = second.gt_instances[1:]
    assert_same_step(*pair(), batch)


def test_images_of_different_sizes():
    batch, small = make_batch(), make_batch(1, num=1, height=64, width=100)
    batch["inputs"][1] = small["inputs"][0]
    batch["data_samples"][1] = small["data_samples"][0]
    assert_same_step(*pair(), batch)


def test_adaptive_sampling_falls_back_to_mmcv(batch):
    cfg = detector_cfg()
    cfg.roi_head.bbox_roi_extractor.roi_layer.sampling_ratio = 0
    stock, fast = build(cfg), build(fast_types(cfg))  # a seed gives both the same weights
    assert_same_step(stock, fast, batch)


def test_the_backbone_alone_is_safe_with_mmcvs_roi_align(batch):
    cfg = detector_cfg()
    stock = build(cfg)
    cfg.backbone.type = "FrozenAwareResNet"
    assert_same_step(stock, build(cfg), batch)


def test_several_rpn_convolutions_fall_back_to_the_parent(batch):
    cfg = detector_cfg()
    cfg.rpn_head.num_convs = 2
    stock, fast = build(cfg), build(fast_types(cfg))
    fast.load_state_dict(stock.state_dict())
    assert_same_step(stock, fast, batch)


def test_state_dicts_are_exchanged_with_stock_both_ways():
    stock, fast = pair()
    assert list(stock.state_dict()) == list(fast.state_dict())
    stock.load_state_dict(fast.state_dict())


def test_predictions_equal_stock(batch):
    stock, fast = pair()
    with torch.no_grad():
        for model in (stock, fast):
            model.eval()
            model.roi_head.bbox_head.fc_cls.bias.copy_(torch.tensor([1.0, 0.5, 0.0, 0.0]))
        results = [m.test_step(copy.deepcopy(batch)) for m in (stock, fast)]
    for a, b in zip(*results, strict=True):
        assert len(a.pred_instances) > 0
        for key in ("scores", "bboxes"):
            difference = a.pred_instances[key] - b.pred_instances[key]
            assert difference.abs().max() < 1e-3


def test_bfloat16_step_on_a_cpu(batch):
    stock, fast = pair(frozen_stages=2)
    losses, grads, proposals = losses_and_gradients(stock, batch)
    fast_losses, fast_grads, _ = losses_and_gradients(fast, batch, proposals, bf16=True)
    assert fast_losses["loss"] == pytest.approx(losses["loss"], rel=0.02)
    assert grads.keys() == fast_grads.keys()
    flat = [torch.cat([g.flatten() for g in gs.values()]) for gs in (grads, fast_grads)]
    assert all(g.dtype == torch.float32 for g in fast_grads.values())
    assert torch.cosine_similarity(*flat, 0) > 0.99


def test_autocast_keeps_every_gradient_without_fused_kernels(batch):
    """As on CUDA: what is cast in the pass without a graph must not serve the one with a graph."""
    stock, fast = pair(frozen_stages=2)
    _, grads, proposals = losses_and_gradients(stock, batch)
    with mock.patch("fzmm.models.cpu.fused_conv.has_fused_kernels", lambda dtype: False):
        _, fast_grads, _ = losses_and_gradients(fast, batch, proposals, bf16=True)
    assert grads.keys() == fast_grads.keys()
    for name in grads:
        if name.startswith("rpn_head"):
            assert (
                torch.cosine_similarity(grads[name].flatten(), fast_grads[name].flatten(), 0) > 0.98
            )


@pytest.mark.parametrize("features", [40, 9000])
def test_onednn_linear_equals_linear(features):
    torch.manual_seed(0)
    stock = torch.nn.Linear(features, 24)
    ours = OneDNNLinear(features, 24)
    ours.load_state_dict(stock.state_dict())
    x = torch.randn(30, features)
    results = []
    for layer in (stock, ours):
        inputs = x.clone().requires_grad_()
        out = layer(inputs)
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        results.append((out, inputs.grad, layer.weight.grad, layer.bias.grad))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    assert ours(x[:0]).shape == (0, 24)
