"""A small Faster R-CNN with FPN, as the study's, and batches for it."""

import copy

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

import fzmm.register  # noqa: F401

register_all_modules()


@pytest.fixture(autouse=True)
def _mmdet_scope():
    """A runner of another test in this process may have left its default scope behind."""
    register_all_modules()


def detector_cfg(frozen_stages=1, depth=18, norm_grad=False, norm_eval=True):
    anchors = dict(
        type="AnchorGenerator", scales=[4], ratios=[0.5, 1.0, 2.0], strides=[4, 8, 16, 32, 64]
    )
    coder = dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4)
    smooth_l1 = dict(type="SmoothL1Loss", beta=1 / 9)
    sampler = dict(type="RandomSampler", neg_pos_ub=-1)
    assigner = dict(type="MaxIoUAssigner", ignore_iof_thr=-1)
    rpn_proposal = dict(
        nms_pre=300, max_per_img=100, nms=dict(type="nms", iou_threshold=0.7), min_bbox_size=0
    )
    expansion = 1 if depth < 50 else 4
    return ConfigDict(
        type="FasterRCNN",
        data_preprocessor=dict(
            type="DetDataPreprocessor",
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            pad_size_divisor=32,
        ),
        backbone=dict(
            type="ResNet",
            depth=depth,
            frozen_stages=frozen_stages,
            norm_cfg=dict(type="BN", requires_grad=norm_grad),
            norm_eval=norm_eval,
        ),
        neck=dict(
            type="FPN",
            in_channels=[c * expansion for c in (64, 128, 256, 512)],
            out_channels=32,
            num_outs=5,
        ),
        rpn_head=dict(
            type="RPNHead",
            in_channels=32,
            feat_channels=32,
            anchor_generator=anchors,
            bbox_coder=dict(coder, target_stds=[1.0] * 4),
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=True),
            loss_bbox=smooth_l1,
        ),
        roi_head=dict(
            type="StandardRoIHead",
            bbox_roi_extractor=dict(
                type="SingleRoIExtractor",
                roi_layer=dict(type="RoIAlign", output_size=7, sampling_ratio=2),
                out_channels=32,
                featmap_strides=[4, 8, 16, 32],
            ),
            bbox_head=dict(
                type="Shared2FCBBoxHead",
                in_channels=32,
                fc_out_channels=64,
                roi_feat_size=7,
                num_classes=3,
                bbox_coder=dict(coder, target_stds=[0.1, 0.1, 0.2, 0.2]),
                loss_cls=dict(type="CrossEntropyLoss"),
                loss_bbox=smooth_l1,
            ),
        ),
        train_cfg=dict(
            rpn=dict(
                assigner=dict(assigner, pos_iou_thr=0.7, neg_iou_thr=0.3, min_pos_iou=0.3),
                sampler=dict(sampler, num=64, pos_fraction=0.5),
                allowed_border=-1,
                pos_weight=-1,
            ),
            rpn_proposal=rpn_proposal,
            rcnn=dict(
                assigner=dict(
                    assigner,
                    pos_iou_thr=0.5,
                    neg_iou_thr=0.5,
                    min_pos_iou=0.5,
                    match_low_quality=False,
                ),
                sampler=dict(sampler, num=64, pos_fraction=0.25, add_gt_as_proposals=True),
                pos_weight=-1,
            ),
        ),
        test_cfg=dict(
            rpn=rpn_proposal,
            rcnn=dict(score_thr=0.05, nms=dict(type="nms", iou_threshold=0.5), max_per_img=100),
        ),
    )


def fast_types(cfg):
    """The same detector with fzmm's modules."""
    cfg = copy.deepcopy(cfg)
    cfg.backbone.update(type="FrozenAwareResNet", channels_last_outputs=True)
    cfg.rpn_head.type = "SampledRPNHead"
    cfg.roi_head.bbox_roi_extractor.type = "GatherRoIExtractor"
    cfg.roi_head.bbox_head.type = "OneDNNShared2FCBBoxHead"
    return cfg


def randomise_norms(model):
    """Give batch norms the statistics of a trained network, so that folding them matters."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight.data, 0.5, 1.0),
                (module.bias.data, -0.3, 0.3),
                (module.running_mean, -0.3, 0.3),
                (module.running_var, 0.5, 2.0),
            ):
                tensor.uniform_(low, high, generator=generator)
    return model


def build(cfg):
    torch.manual_seed(0)
    model = randomise_norms(MODELS.build(copy.deepcopy(cfg)))
    model.train()
    return model


def make_batch(seed=0, num=2, height=96, width=128, boxes=4):
    rng = np.random.default_rng(seed)
    samples, images = [], []
    for _ in range(num):
        images.append(torch.from_numpy(rng.integers(0, 256, (3, height, width), dtype=np.uint8)))
        size = rng.uniform(12, 60, (boxes, 2))
        corner = rng.uniform(0, 1, (boxes, 2)) * ([width, height] - size)
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(height, width), ori_shape=(height, width), scale_factor=(1.0, 1.0)
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.from_numpy(np.hstack([corner, corner + size])).float(),
            labels=torch.from_numpy(rng.integers(0, 3, boxes)),
        )
        sample.ignored_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
        )
        samples.append(sample)
    return dict(inputs=images, data_samples=samples)


@pytest.fixture
def batch():
    return make_batch()
