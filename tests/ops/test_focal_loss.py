"""Sigmoid focal loss has the values and gradients of MMDetection's Python version."""

import sys

import mmcv.ops
import pytest
import torch
import torch.nn.functional as F
from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss

from fzmm.ops import mmcv_ext


@pytest.fixture(autouse=True)
def operators(monkeypatch):
    monkeypatch.setattr(sys.modules["mmcv.ops.focal_loss"], "ext_module", mmcv_ext)


def logits_and_targets():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(40, 6, generator=generator) * 4
    logits[0], logits[1] = 60, -60  # sure, and half of the time wrong
    return logits.requires_grad_(), torch.randint(7, (40,), generator=generator)


@pytest.mark.parametrize("gamma", [0.0, 1.5, 2.0])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_same_values_and_gradients(gamma, reduction):
    logits, target = logits_and_targets()
    one_hot = F.one_hot(target, 7)[:, :6]
    expected = py_sigmoid_focal_loss(logits, one_hot, None, gamma, 0.25, "none")
    expected = expected.sum() / 40 if reduction == "mean" else expected
    expected = expected.sum() if reduction == "sum" else expected
    loss = mmcv.ops.sigmoid_focal_loss(logits, target, gamma, 0.25, None, reduction)
    torch.testing.assert_close(loss, expected)
    gradients = [torch.autograd.grad(each.sum(), logits)[0] for each in (loss, expected)]
    torch.testing.assert_close(*gradients)


def test_classes_may_have_weights():
    logits, target = logits_and_targets()
    target = target.clamp(max=5)
    weight = torch.arange(1.0, 7)
    weighted = mmcv.ops.sigmoid_focal_loss(logits, target, 2.0, 0.25, weight, "none")
    plain = mmcv.ops.sigmoid_focal_loss(logits, target, 2.0, 0.25, None, "none")
    torch.testing.assert_close(weighted, plain * (target + 1)[:, None])
    gradients = [torch.autograd.grad(each.sum(), logits)[0] for each in (weighted, plain)]
    torch.testing.assert_close(gradients[0], gradients[1] * (target + 1)[:, None])
