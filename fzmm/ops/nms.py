"""Non-maximum suppression that keeps the boxes that MMCV's compiled operator keeps."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

# Boxes of one round. 64 to 256 take the same time for 2,000 boxes; the overlaps of 128 with all
# others stay in a core's cache.
_BLOCK = 128
# Where at most one pair in so many meets along x, and few enough for 40 MB, to list those pairs
# takes less time than blocks do.
_FEW = 20
_MOST_PAIRS = 2**18


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    """Return the indices of the boxes to keep, best score first: ``mmcv._ext.nms``.

    Args:
        boxes: Shape (N, 4): x1, y1, x2, y2.
        scores: Shape (N,).
        iou_threshold: A box goes if its IoU with a better one that stays is larger.
        offset: 0, or 1 where a box from x1 to x2 is ``x2 - x1 + 1`` pixels wide.

    Returns:
        Tensor: Shape (kept,), int64.
    """
    torchvision = torchvision_operators(boxes.device.type)
    if torchvision is not None and offset == 0 and len(boxes):
        # MMCV compares in single precision: an IoU of 0.6 must not exceed a threshold of 0.6.
        threshold = torch.tensor(iou_threshold, dtype=boxes.dtype).item()
        # MMCV takes equal scores in the order of an unstable sort, torchvision of a stable one.
        order = scores.sort(0, descending=True)[1]
        places = torch.arange(len(order), 0, -1, dtype=torch.float32, device=boxes.device)
        return order[torchvision.nms(boxes[order], places.to(boxes.dtype), threshold)]
    return plain_nms(boxes, scores, iou_threshold, offset)


@functools.cache
def torchvision_operators(device: str):
    """Return torchvision's compiled operators, None where it has none for this PyTorch.

    Args:
        device: Type of the device they are for: a build for the CPU has none for "cuda".
    """
    try:
        import torchvision  # noqa: F401
    except (ImportError, OSError, RuntimeError):  # the last two: built for another PyTorch
        return None
    if not hasattr(torch.ops.torchvision, "nms"):
        return None
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key("torchvision::nms", device.upper())
    return torch.ops.torchvision if has_kernel else None


def plain_nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    """Do what :func:`nms` does in plain PyTorch."""
    order = scores.sort(0, descending=True)[1]
    x1, y1, x2, y2 = boxes[order].unbind(1)
    left = torch.stack([x1, y1, x2, y2, (x2 - x1 + offset) * (y2 - y1 + offset)])
    # boxes apart have no IoU that exceeds a threshold from 0 on; with an offset they may touch
    pairs = _pairs_that_meet(x1, x2) if offset == 0 and iou_threshold >= 0 else None
    if pairs is not None:
        return order[_nms_of_pairs(left, *pairs, iou_threshold)]
    return _nms_in_blocks(left, order, iou_threshold, offset)


def _pairs_that_meet(x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor] | None:
    """List the pairs of boxes that may overlap along x, each once; None where they are many.

    Args:
        x1: Shape (N,): left edges.
        x2: Shape (N,): right edges.

    Returns:
        Index of the better and of the worse box of each pair, shape (pairs,) both, or None.
    """
    left_edges, by_left = x1.sort()
    place = torch.arange(len(x1), device=x1.device)
    counts = (torch.searchsorted(left_edges, x2[by_left]) - place - 1).clamp_(min=0)
    total = int(counts.sum())
    if total > min(len(x1) ** 2 // _FEW, _MOST_PAIRS):
        return None

    first = place.repeat_interleave(counts)
    before = (counts.cumsum(0) - counts).repeat_interleave(counts)
    second = torch.arange(total, device=x1.device) - before + first + 1
    first, second = by_left[first], by_left[second]
    return torch.minimum(first, second), torch.maximum(first, second)


def _nms_of_pairs(boxes: Tensor, better: Tensor, worse: Tensor, iou_threshold: float) -> Tensor:
    """Return which boxes stay, shape (N,), bool; all other pairs than these do not overlap."""
    over = _exceeds(boxes[:, better], boxes[:, worse], iou_threshold, 0)
    better, worse = better[over], worse[over]
    every = torch.ones(boxes.shape[1], dtype=torch.bool, device=boxes.device)
    keep = every.index_fill(0, worse, False)
    while True:
        # as in `_settle`
        settled = every.index_fill(0, worse[keep[better]], False)
        if torch.equal(settled, keep):
            return keep
        keep = settled


def _nms_in_blocks(left: Tensor, order: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Take blocks of boxes in the order of scores.

    What a block keeps is settled within it; then all worse boxes that it suppresses are dropped.
    """
    kept = [order[:0]]
    while left.shape[1]:
        block, rest = left[:, :_BLOCK], left[:, _BLOCK:]
        keep = _settle(_overlap(block, block, iou_threshold, offset).triu(1))
        kept.append(order[:_BLOCK][keep])

        alive = ~_overlap(block[:, keep], rest, iou_threshold, offset).any(0)
        left, order = rest[:, alive], order[_BLOCK:][alive]
    return torch.cat(kept)


def _overlap(boxes: Tensor, others: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Return which pairs overlap by more than the threshold, rounded as MMCV's kernel rounds.

    Args:
        boxes: Shape (5, N): x1, y1, x2, y2, area.
        others: Shape (5, M).
        iou_threshold: IoU above which a pair counts.
        offset: See :func:`nms`.

    Returns:
        Tensor: Shape (N, M), bool.
    """
    return _exceeds(boxes[:, :, None], others, iou_threshold, offset)


def _exceeds(boxes: Tensor, others: Tensor, iou_threshold: float, offset: int) -> Tensor:
    x1, y1, x2, y2, area = boxes
    width = torch.minimum(x2, others[2]).sub_(torch.maximum(x1, others[0]))
    height = torch.minimum(y2, others[3]).sub_(torch.maximum(y1, others[1]))
    if offset:
        width, height = width.add_(offset), height.add_(offset)
    intersection = width.clamp_(min=0).mul_(height.clamp_(min=0))
    union = torch.add(area, others[4], out=height).sub_(intersection)
    return intersection.div_(union) > iou_threshold


def _settle(overlap: Tensor) -> Tensor:
    """Return which boxes of a block stay: those that overlap none before them that stays.

    Args:
        overlap: Shape (N, N), bool, above the diagonal only.
    """
    keep = ~overlap.any(0)
    while True:
        # Each round settles at least one box more, in the order of scores.
        settled = ~overlap[keep].any(0)
        if torch.equal(settled, keep):
            return keep
        keep = settled
