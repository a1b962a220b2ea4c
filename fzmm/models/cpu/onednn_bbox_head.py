"""The box head's fully connected layers through oneDNN."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead
from mmdet.registry import MODELS
from torch import Tensor, nn


@functools.cache
def has_onednn_linear() -> bool:
    """Whether this build of PyTorch has oneDNN's matrix product and it works."""
    if not torch.backends.mkldnn.is_available():
        return False
    try:
        return bool((_product(torch.ones(4, 8), torch.ones(4, 8)) == 8).all())
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        return False


def _product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``a @ b.T + bias``."""
    return torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        wants_x, wants_weight, wants_bias = ctx.needs_input_grad
        # MKL's products: oneDNN's, with a transposed operand, fall back to a reference kernel at
        # some shapes, and a step of seconds then takes minutes.
        grad_x = grad @ weight if wants_x else None
        grad_weight = grad.t() @ x if wants_weight else None
        return grad_x, grad_weight, grad.sum(0) if wants_bias else None


class OneDNNLinear(nn.Linear):
    """``torch.nn.Linear``, whose float32 products on a CPU are oneDNN's instead of MKL's.

    MKL does not use the full vector width of CPUs that are not Intel's; oneDNN does.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x @ weight.T + bias``, shape (N, out_features)."""
        if (
            x.device.type == "cpu"
            and x.dim() == 2
            and x.dtype == self.weight.dtype == torch.float32
            and not torch.is_autocast_enabled("cpu")
            and len(x) > 0
            and has_onednn_linear()
        ):
            return _Linear.apply(x, self.weight, self.bias)
        return F.linear(x, self.weight, self.bias)


@MODELS.register_module()
class OneDNNShared2FCBBoxHead(Shared2FCBBoxHead):
    """MMDetection's ``Shared2FCBBoxHead`` with ``OneDNNLinear`` as its shared layers.

    Same arguments, parameters and checkpoints.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for i, layer in enumerate(self.shared_fcs):
            if type(layer) is nn.Linear:
                ours = nn.utils.skip_init(OneDNNLinear, layer.in_features, layer.out_features)
                ours.weight, ours.bias = layer.weight, layer.bias  # a seed gives the same weights
                self.shared_fcs[i] = ours

    def forward(self, x):
        """Return class scores and box deltas, in at least single precision.

        Args:
            x (Tensor): RoI features, shape (K, C, h, w).
        """
        return tuple(
            out.float() if out is not None and out.dtype in (torch.bfloat16, torch.float16) else out
            for out in super().forward(x)
        )
