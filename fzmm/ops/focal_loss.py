"""Sigmoid focal loss, Eq. 5 of Lin et al. (https://arxiv.org/abs/1708.02002), and its gradient.

MMDetection has it in Python for a CPU; on a GPU it calls MMCV's operator.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class _Answers(NamedTuple):
    """Of each class: the sign of its logit, its share in the loss, and how sure the answer is."""

    sign: Tensor
    share: Tensor
    right: Tensor  # probability of the right answer
    wrong: Tensor
    log_right: Tensor


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Fill ``output``: ``mmcv._ext.sigmoid_focal_loss_forward``.

    Args:
        input: Logits, shape (N, C).
        target: Class of each row, shape (N,); C for none.
        weight: Of each class, shape (C,), or empty.
        output: Loss, shape (N, C).
        gamma: Exponent that plays down what is classified well.
        alpha: Share of positives in the loss, negatives have the rest.
    """
    of = _answers(input, target, alpha)
    loss = -of.share * of.wrong**gamma * of.log_right
    output.copy_(_weighted(loss, target, weight))


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Fill ``grad_input``, shape (N, C), for a gradient of 1 at each loss."""
    of = _answers(input, target, alpha)
    slope = of.wrong - gamma * of.right * of.log_right
    grad_input.copy_(_weighted(-of.sign * of.share * of.wrong**gamma * slope, target, weight))


def _answers(logits: Tensor, target: Tensor, alpha: float) -> _Answers:
    positive = target[:, None] == torch.arange(logits.shape[1], device=logits.device)
    sign = torch.where(positive, 1.0, -1.0)
    signed = logits.float() * sign  # half precision would round what is nearly sure to sure
    share = torch.where(positive, alpha, 1 - alpha)
    return _Answers(sign, share, signed.sigmoid(), (-signed).sigmoid(), F.logsigmoid(signed))


def _weighted(values: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    return values * weight[target][:, None] if weight.numel() else values
