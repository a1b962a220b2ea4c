"""R-FCN: its pooling against the paper's formula, and a step that trains what is not frozen."""

import math
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

import fzmm.register  # noqa: F401
from fzmm.detector_config.step_time import build_for_steps, noise_batch
from fzmm.models.roi_heads.position_sensitive_pool import position_sensitive_pool

CONFIG = Path(__file__).parents[3] / "configs/rfcn/rfcn_r50_coco.py"
ROIS = [
    [0, 16, 32, 80, 112],
    [1, 3, 5, 140, 77],
    [1, 100, 60, 190, 130],  # over the edges
    [0, -40, -40, 30, 20],
    [0, 50, 50, 51, 51],  # less than a cell
    [1, 400, 400, 500, 500],  # outside
]


def reference(maps, rois, bins, scale):
    """Eq. 1 of the paper, cell by cell."""
    num, channels, height, width = maps.shape
    out = torch.zeros(len(rois), channels // bins**2, bins, bins, dtype=maps.dtype)
    for k, (image, *box) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (int(torch.tensor(value * scale).round()) for value in box)
        w, h = max(x2 - x1, 1), max(y2 - y1, 1)
        for c, i, j in torch.cartesian_prod(*(torch.arange(n) for n in out.shape[1:])).tolist():
            ys = range(y1 + math.floor(i * h / bins), y1 + math.ceil((i + 1) * h / bins))
            xs = range(x1 + math.floor(j * w / bins), x1 + math.ceil((j + 1) * w / bins))
            cells = [
                maps[int(image), (c * bins + i) * bins + j, y, x]
                for y in ys
                for x in xs
                if 0 <= y < height and 0 <= x < width
            ]
            if cells:
                out[k, c, i, j] = sum(cells) / len(cells)
    return out


@pytest.mark.parametrize("bins", [1, 3, 7])
def test_pooling_is_the_papers(bins):
    torch.manual_seed(0)
    maps = torch.randn(2, 2 * bins**2, 7, 11, dtype=torch.float64, requires_grad=True)
    rois = torch.tensor(ROIS, dtype=torch.float64)
    ours, theirs = (f(maps, rois, bins, 1 / 16) for f in (position_sensitive_pool, reference))
    torch.testing.assert_close(ours, theirs)
    weight = torch.randn_like(ours)
    grads = [torch.autograd.grad((out * weight).sum(), maps)[0] for out in (ours, theirs)]
    torch.testing.assert_close(*grads)


def test_pooling_of_no_rois():
    out = position_sensitive_pool(torch.randn(1, 18, 4, 4), torch.zeros(0, 5), 3, 1 / 16)
    assert out.shape == (0, 2, 3, 3)


def small(frozen_stages):
    cfg = Config.fromfile(CONFIG)
    cfg.model.backbone.base_channels = 8
    cfg.model.rpn_head.update(in_channels=128, feat_channels=16)
    cfg.model.roi_head.bbox_head.update(in_channels=256, feat_channels=32, num_classes=3)
    for transform in cfg.train_dataloader.dataset.pipeline:
        if transform.type == "Resize":
            transform.scale = (160, 128)
    return cfg, *build_for_steps(cfg, frozen_stages)


@pytest.mark.parametrize("frozen_stages", [-1, 2, 4])
def test_a_step_trains_what_is_not_frozen(frozen_stages):
    torch.manual_seed(0)
    cfg, model, optim_wrapper = small(frozen_stages)
    before = {key: value.clone() for key, value in model.named_parameters()}
    losses = model.train_step(noise_batch(cfg), optim_wrapper)
    assert all(torch.isfinite(value) for value in losses.values())
    frozen = ("backbone.conv1", "backbone.layer1", "backbone.layer2", "backbone.layer3")
    frozen = {-1: (), 2: frozen[:3], 4: (*frozen, "backbone.layer4")}[frozen_stages]
    for key, value in model.named_parameters():
        norm = ".bn" in key or ".downsample.1." in key
        assert torch.equal(value, before[key]) == (norm or key.startswith(frozen or "none")), key


def test_loss_falls_and_boxes_come_out():
    torch.manual_seed(0)
    cfg, model, optim_wrapper = small(4)
    batch = noise_batch(cfg)
    losses = [model.train_step(batch, optim_wrapper)["loss"].item() for _ in range(20)]
    assert sum(losses[-3:]) < sum(losses[:3])
    model.eval()
    with torch.no_grad():
        results = model.test_step(batch)
    assert all(len(result.pred_instances.bboxes[0]) == 4 for result in results)
