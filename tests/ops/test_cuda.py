"""On a GPU, NMS and RoIAlign give what they give on the CPU, with torchvision and without."""

import re

import pytest
import torch

from fzmm.ops.nms import nms, torchvision_operators
from fzmm.ops.roi_align import roi_align_backward, roi_align_forward

from .test_nms import KINDS, boxes_of
from .test_roi_align import FEATURES, run, some_rois

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(params=["torchvision", "plain"], autouse=True)
def operators(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.setattr("fzmm.ops.nms.torchvision_operators", lambda device: None)
        monkeypatch.setattr("fzmm.ops.roi_align.torchvision_operators", lambda device: None)
    elif torchvision_operators("cuda") is None:
        pytest.skip("torchvision is not installed, or has no CUDA operators")


# which of two equal scores comes first is each device's own, as is what is larger than NaN
@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if not re.search("tied scores|equal|degenerate", kind)]
)
def test_the_same_boxes_are_kept(kind):
    boxes, scores = boxes_of(kind)
    kept = nms(boxes.cuda(), scores.cuda(), 0.5)
    assert kept.cpu().tolist() == nms(boxes, scores, 0.5).tolist()


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("ratio", [0, 2])
def test_the_same_values_and_gradients(ratio, aligned):
    rois, size = some_rois(), (3, 2)
    grad = torch.randn(len(rois), 5, *size)
    functions, settings = (roi_align_forward, roi_align_backward), (size, ratio, aligned, 1)
    expected = run(functions, FEATURES, rois, grad, *settings)
    computed = run(functions, FEATURES.cuda(), rois.cuda(), grad.cuda(), *settings)
    torch.testing.assert_close(computed[0].cpu(), expected[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(computed[1].cpu(), expected[1], rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_has_a_gradient(dtype):
    rois, grad = some_rois().to(dtype), torch.randn(24, 5, 3, 2).to(dtype)
    functions, settings = (roi_align_forward, roi_align_backward), ((3, 2), 0, True, 1)
    features = FEATURES.to(dtype)
    expected = run(functions, features.float(), rois.float(), grad.float(), *settings)
    computed = run(functions, features.cuda(), rois.cuda(), grad.cuda(), *settings)
    for there, here in zip(computed, expected, strict=True):
        torch.testing.assert_close(there.cpu().float(), here, rtol=0.05, atol=0.05)
