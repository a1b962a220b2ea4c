"""MMCV's function for a GPU gives, with fzmm's operator, what its Python version gives."""

import sys

import mmcv.ops  # noqa: F401
import torch

from fzmm.ops import mmcv_ext


def test_same_values_and_gradients(monkeypatch):
    module = sys.modules["mmcv.ops.multi_scale_deform_attn"]
    monkeypatch.setattr(module, "ext_module", mmcv_ext)
    torch.manual_seed(0)
    shapes = torch.tensor([[6, 5], [3, 2]])
    value = torch.randn(2, 36, 2, 4, requires_grad=True)
    locations = (torch.rand(2, 7, 2, 2, 3, 2) * 1.4 - 0.2).requires_grad_()
    weights = torch.rand(2, 7, 2, 2, 3, requires_grad=True)
    inputs = (value, locations, weights)

    expected = module.multi_scale_deformable_attn_pytorch(value, shapes, locations, weights)
    output = module.MultiScaleDeformableAttnFunction.apply(
        value, shapes, torch.tensor([0, 30]), locations, weights, 64
    )
    torch.testing.assert_close(output, expected)
    assert output.shape == (2, 7, 8)
    grad = torch.randn_like(output)
    for computed, wanted in zip(
        torch.autograd.grad(output, inputs, grad),
        torch.autograd.grad(expected, inputs, grad),
        strict=True,
    ):
        torch.testing.assert_close(computed, wanted)
