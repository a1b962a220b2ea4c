"""RoIAlign has the values and gradients of MMCV's compiled operator."""

import pytest
import torch

from fzmm.ops.roi_align import roi_align_backward, roi_align_forward

from .conftest import loop_roi_align

SCALE = 0.25
FEATURES = torch.randn(2, 5, 24, 30, generator=torch.Generator().manual_seed(1))


def some_rois():
    """RoIs of many sizes; one of no extent, one outside, some that leave the map on each side."""
    generator = torch.Generator().manual_seed(0)
    centre = torch.rand(24, 2, generator=generator) * torch.tensor([120.0, 96.0])
    half = torch.rand(24, 2, generator=generator) ** 2 * 60
    boxes = torch.cat([centre - half, centre + half], 1)
    boxes[:4] = torch.tensor(
        [[10.0, 10, 10, 10], [500, 500, 540, 560], [-40, -50, 20, 30], [0, 0, 120, 96]]
    )
    return torch.cat([torch.arange(24)[:, None] % 2, boxes], 1)


def run(operators, features, rois, grad, size, ratio, aligned, mode):
    """Return output and gradient of a pair of operators called as MMCV calls them."""
    forward, backward = operators
    output = features.new_zeros(len(rois), features.shape[1], *size)
    argmax = [torch.zeros_like(output if mode == 0 else output[:0]) for _ in range(2)]
    settings = dict(
        aligned_height=size[0],
        aligned_width=size[1],
        spatial_scale=SCALE,
        sampling_ratio=ratio,
        pool_mode=mode,
        aligned=aligned,
    )
    forward(features, rois, output, *argmax, **settings)
    grad_input = torch.zeros_like(features)
    backward(grad[: len(rois)], rois, *argmax, grad_input, **settings)
    return output, grad_input


def run_loop(features, rois, grad, size, ratio, aligned, mode):
    features = features.clone().requires_grad_()
    name = "avg" if mode else "max"
    output = loop_roi_align(features, rois, size, SCALE, ratio, aligned, name)
    return output.detach(), torch.autograd.grad(output, features, grad)[0]


@pytest.mark.parametrize("mode", [1, 0], ids=["average", "maximum"])
@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("ratio", [0, 2])
def test_same_values_and_gradients(ratio, aligned, mode, reference):
    rois, size = some_rois(), (3, 2)
    grad = torch.randn(len(rois), 5, *size, generator=torch.Generator().manual_seed(2))
    arguments = (FEATURES, rois, grad, size, ratio, aligned, mode)
    output, gradient = run((roi_align_forward, roi_align_backward), *arguments)
    if reference is None:
        expected = run_loop(*arguments)
    else:
        expected = run((reference.roi_align_forward, reference.roi_align_backward), *arguments)
    # the maximum of no sampling point is -10,000 in MMCV
    expected_output = torch.where(expected[0] == -10_000, 0.0, expected[0])
    torch.testing.assert_close(output, expected_output, rtol=0, atol=1e-5)
    torch.testing.assert_close(gradient, expected[1], rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_that_of_the_numbers_alone(dtype):
    """Also where a backward pass is called within autocast, which casts products."""
    rois, size, settings = some_rois(), (3, 2), (0, True, 1)
    functions = (roi_align_forward, roi_align_backward)
    half = FEATURES.to(dtype)
    grad = torch.randn(len(rois), 5, *size, generator=torch.Generator().manual_seed(2)).to(dtype)
    expected = run(functions, half.float(), rois, grad.float(), size, *settings)
    with torch.autocast("cpu"):
        computed = run(functions, half, rois, grad, size, *settings)
        of_singles = run(functions, half.float(), rois, grad.float(), size, *settings)
    torch.testing.assert_close(of_singles[1], expected[1])
    assert computed[1].dtype is dtype
    torch.testing.assert_close(computed[1].float(), expected[1], rtol=0.02, atol=0.02)


@pytest.mark.parametrize("box", [[40.0, 30, 10, 12], [40, 12, 10, 30], [float("nan")] * 4])
@pytest.mark.parametrize("mode", [1, 0], ids=["average", "maximum"])
def test_a_box_that_is_none_samples_nothing(mode, box):
    """Inside out, which MMCV's kernel refuses on a CPU, or not a number."""
    rois = torch.tensor([[0.0, *box]])
    arguments = (FEATURES, rois, torch.ones(1, 5, 3, 2), (3, 2), 0, True, mode)
    output, gradient = run((roi_align_forward, roi_align_backward), *arguments)
    assert not output.any() and not gradient.any()


@pytest.mark.parametrize("mode", [1, 0], ids=["average", "maximum"])
def test_no_rois(mode):
    arguments = (FEATURES, torch.zeros(0, 5), torch.zeros(0, 5, 7, 7), (7, 7), 0, True, mode)
    output, gradient = run((roi_align_forward, roi_align_backward), *arguments)
    assert output.shape == (0, 5, 7, 7)
    assert not gradient.any()


def test_a_large_roi_in_parts(monkeypatch):
    rois = some_rois()[[3, 3, 3]]
    grad = torch.ones(3, 5, 7, 7)
    arguments = (FEATURES, rois, grad, (7, 7), 0, False, 1)
    whole = run((roi_align_forward, roi_align_backward), *arguments)
    monkeypatch.setattr("fzmm.ops.roi_bins._ROWS_AT_ONCE", 1)
    parts = run((roi_align_forward, roi_align_backward), *arguments)
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b)
