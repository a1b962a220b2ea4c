"""The base for studies on a CPU says of EfficientNet-Lite0 what the table of backbones says."""

from pathlib import Path

from mmengine.config import Config

from fzmm.detector_config.backbones import BACKBONES
from fzmm.detector_config.step_time import build_for_steps, noise_batch

ROOT = Path(__file__).parents[2]


def test_its_backbone_is_that_of_the_table_and_it_trains():
    cfg = Config.fromfile(ROOT / "configs/_base_/faster-rcnn_lite0_fpn.py")
    spec = BACKBONES["efficientnet-lite0"]
    assert cfg.model.backbone.to_dict() == spec.config
    assert tuple(cfg.model.data_preprocessor.mean) == spec.mean
    assert tuple(cfg.model.data_preprocessor.std) == spec.std

    cfg.train_dataloader.batch_size = 2
    model, optim_wrapper = build_for_steps(cfg, frozen_stages=4)
    losses = model.train_step(noise_batch(cfg), optim_wrapper)
    assert losses["loss"] > 0
