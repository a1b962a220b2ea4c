"""Whether a backbone that makes use of being frozen computes what the plain one does."""

import torch


def outputs_and_gradients(model, x):
    outs = model(x)
    loss = sum((out * torch.linspace(-1, 1, out.numel()).view_as(out)).mean() for out in outs)
    if loss.requires_grad:
        loss.backward()
    grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return outs, grads


def assert_same(stock, fast, x=None, rtol=1e-4, output_rtol=None):
    """Within rtol of a gradient's norm, and output_rtol (a tenth of it) of the largest output."""
    output_rtol = output_rtol or 0.1 * rtol
    x = torch.randn(2, 3, 64, 96) if x is None else x
    outs, grads = outputs_and_gradients(stock, x)
    fast_outs, fast_grads = outputs_and_gradients(fast, x)
    for out, fast_out in zip(outs, fast_outs, strict=True):
        assert (out - fast_out).abs().max() <= output_rtol * out.abs().max()
    assert grads.keys() == fast_grads.keys()
    for name, grad in grads.items():
        difference = (grad - fast_grads[name]).norm()
        assert difference <= rtol * grad.norm() + 1e-12, name
