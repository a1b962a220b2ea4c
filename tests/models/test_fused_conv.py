"""A convolution with what follows it in one kernel: the outputs and gradients of its parts."""

import pytest
import torch
import torch.nn.functional as F

from fzmm.models.cpu.fused_conv import fused_conv

PARTS = {None: lambda x: x, "relu": F.relu, "relu6": F.relu6}


def leaf(*shape):
    return torch.randn(shape).contiguous(memory_format=torch.channels_last).requires_grad_()


@pytest.mark.parametrize("groups", [1, 16])
@pytest.mark.parametrize(
    ("activation", "shortcut"),
    [(None, False), (None, True), ("relu", False), ("relu", True), ("relu6", False)],
)
def test_outputs_and_gradients_are_those_of_the_parts(activation, shortcut, groups):
    torch.manual_seed(0)
    x, weight = leaf(2, 16, 9, 11), leaf(16, 16 // groups, 3, 3)
    bias = torch.randn(16, requires_grad=True)
    residual = leaf(2, 16, 9, 11) if shortcut else None
    inputs = [x, weight, bias] + [residual] * shortcut
    fused = fused_conv(
        x, weight, bias, padding=(1, 1), groups=groups, activation=activation, residual=residual
    )
    parts = F.conv2d(x, weight, bias, padding=1, groups=groups)
    parts = PARTS[activation](parts + residual if shortcut else parts)
    torch.testing.assert_close(fused, parts)
    grad = torch.randn_like(parts)
    torch.testing.assert_close(
        torch.autograd.grad(fused, inputs, grad), torch.autograd.grad(parts, inputs, grad),
        rtol=1e-4, atol=1e-4,
    )  # fmt: skip
