"""RoIAlign as a gather against MMCV's kernel."""

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules

import fzmm.register  # noqa: F401

register_all_modules()


def extractors(**roi_layer):
    cfg = dict(
        roi_layer=dict(type="RoIAlign", output_size=7, **roi_layer),
        out_channels=16,
        featmap_strides=[4, 8, 16, 32],
    )
    return [MODELS.build(dict(cfg, type=t)) for t in ("SingleRoIExtractor", "GatherRoIExtractor")]


def rois():
    """RoIs of every level, also degenerate ones and some that leave the image on each side."""
    generator = torch.Generator().manual_seed(0)
    centre = torch.rand(60, 2, generator=generator) * torch.tensor([256.0, 192.0])
    half = torch.rand(60, 2, generator=generator) ** 2 * 300
    boxes = torch.cat([centre - half, centre + half], 1)
    boxes[:3] = torch.tensor([[10.0, 10, 10, 10], [300, 300, 400, 400], [-90, -90, -50, -50]])
    return torch.cat([torch.arange(60)[:, None] % 2, boxes], 1)


@pytest.mark.parametrize(
    "roi_layer",
    [
        dict(sampling_ratio=2),
        dict(sampling_ratio=2, aligned=False),
        dict(sampling_ratio=1),
        dict(sampling_ratio=3),
        dict(sampling_ratio=0),
        dict(sampling_ratio=2, pool_mode="max"),
    ],
    ids=str,
)
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("factor", [None, 1.5])
def test_same_features_and_gradients(roi_layer, channels_last, factor):
    torch.manual_seed(0)
    maps = [torch.randn(2, 16, 192 // s, 256 // s) for s in (4, 8, 16, 32)]
    stock, fast = extractors(**roi_layer)
    results = []
    for extractor in (stock, fast):
        feats = [feat.clone() for feat in maps]
        if channels_last and extractor is fast:
            feats = [feat.contiguous(memory_format=torch.channels_last) for feat in feats]
        feats = [feat.requires_grad_() for feat in feats]
        out = extractor(feats, rois(), factor)
        (out * torch.linspace(-1, 1, out.numel()).view(out.shape)).sum().backward()
        results.append((out, *(feat.grad for feat in feats)))
    for ours, theirs in zip(*results[::-1], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_no_rois_and_a_single_level():
    _, fast = extractors(sampling_ratio=2)
    maps = [torch.randn(1, 16, 8, 8) for _ in range(4)]
    assert fast(maps, torch.zeros(0, 5)).shape == (0, 16, 7, 7)
    cfg = dict(
        roi_layer=dict(type="RoIAlign", output_size=(5, 3), sampling_ratio=2),
        out_channels=16,
        featmap_strides=[8],
    )
    stock, fast = (
        MODELS.build(dict(cfg, type=t)) for t in ("SingleRoIExtractor", "GatherRoIExtractor")
    )
    maps = (torch.randn(2, 16, 24, 32),)
    torch.testing.assert_close(fast(maps, rois()), stock(maps, rois()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sampling_ratio", [0, 2])
def test_bfloat16_maps(sampling_ratio):
    stock, fast = extractors(sampling_ratio=sampling_ratio)
    maps = [torch.randn(2, 16, 192 // s, 256 // s).bfloat16() for s in (4, 8, 16, 32)]
    expected = stock([feat.float() for feat in maps], rois())
    difference = fast(maps, rois()).float() - expected
    assert difference.norm() < 0.01 * expected.norm()
