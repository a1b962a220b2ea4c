"""NMS keeps the same boxes as MMCV's compiled operator."""

import pytest
import torch

from fzmm.ops.nms import nms, plain_nms, torchvision_operators

from .conftest import loop_nms


def boxes_of(kind: str, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    centre = torch.rand(160, 2, generator=generator) * (4000 if "sparse" in kind else 200)
    centre[::4] = centre[1::4] + 9  # some overlap, however sparse
    size = torch.rand(160, 2, generator=generator) * 80 + 1
    boxes = torch.cat([centre - size / 2, centre + size / 2], 1)
    scores = torch.rand(160, generator=generator)
    if "tied scores" in kind:
        scores = (scores * 4).round() / 4
    if "tied overlaps" in kind:  # on a grid, many pairs overlap by exactly the threshold
        boxes = (boxes / 20).round() * 20
    if kind == "equal":
        boxes, scores = boxes[:1].expand(160, 4).contiguous(), scores * 0 + 0.5
    if "degenerate" in kind:  # without area, inside out, infinite, not a number
        boxes[::3, 2:] = boxes[::3, :2]
        boxes[1::7] = boxes[1::7].flip(1)
        boxes[5], boxes[6, 0], boxes[7, 2] = torch.inf, torch.nan, torch.inf
    if kind == "disjoint":
        boxes = boxes + torch.arange(160)[:, None] * 1000
    if kind == "one":
        boxes, scores = boxes[:1], scores[:1]
    if kind == "empty":
        boxes, scores = boxes[:0], scores[:0]
    return boxes, scores


KINDS = (
    "random",
    "tied scores",
    "tied overlaps",
    "equal",
    "degenerate",
    "disjoint",
    "one",
    "empty",
    "sparse",
    "sparse, tied scores",
    "sparse, tied overlaps",
    "sparse, degenerate",
)


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.6, 0.7])
@pytest.mark.parametrize("kind", KINDS)
def test_same_indices(kind, threshold, offset, reference):
    boxes, scores = boxes_of(kind)
    expected = (reference.nms if reference else loop_nms)(
        boxes, scores, iou_threshold=threshold, offset=offset
    )
    assert plain_nms(boxes, scores, threshold, offset).tolist() == expected.tolist()
    assert nms(boxes, scores, threshold, offset).tolist() == expected.tolist()


def test_torchvision_keeps_the_same():
    if torchvision_operators("cpu") is None:
        pytest.skip("torchvision is not installed, or for another PyTorch")
    for kind in KINDS:
        boxes, scores = boxes_of(kind)
        assert torch.equal(nms(boxes, scores, 0.6), plain_nms(boxes, scores, 0.6))


def test_a_longer_list_than_one_block(reference):
    parts = [boxes_of("random", seed) for seed in range(7)]
    boxes, scores = (torch.cat(part) for part in zip(*parts, strict=True))
    expected = (reference.nms if reference else loop_nms)(
        boxes, scores, iou_threshold=0.5, offset=0
    )
    assert torch.equal(nms(boxes, scores, 0.5), expected)


def test_many_boxes_of_which_few_meet(reference):
    """As for proposals of a large image."""
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(1500, 2, generator=generator) * 5000
    boxes = torch.cat([corner, corner + 60], 1)
    boxes[750:] = boxes[:750] + torch.rand(750, 1, generator=generator) * 20
    scores = torch.rand(1500, generator=generator)
    expected = (reference.nms if reference else loop_nms)(
        boxes, scores, iou_threshold=0.5, offset=0
    )
    assert 750 < len(expected) < 1500
    assert torch.equal(plain_nms(boxes, scores, 0.5), expected)
