"""The loss of any detector on a validation batch: what its training computes, and nothing moved."""

import copy

import numpy as np
import pytest
import torch

import fzmm.register  # noqa: F401
from fzmm.datasets.samplers.seeding import seed_everything
from fzmm.detector_config.step_time import build_for_steps, noise_batch
from fzmm.engine.validation_loss import batch_losses, loss_copy, truth_needs_rescaling
from fzmm.errors import UserError
from fzmm.utils.config_file import read_config_file
from tests.small_detectors import shrink

BASES = {
    "faster": "faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py",
    "retinanet": "retinanet/retinanet_r50_fpn_1x_coco.py",
    "mask": "mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py",
    "fcos": "fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py",
    "dynamic": "dynamic_rcnn/dynamic-rcnn_r50_fpn_1x_coco.py",
    "detr": "detr/detr_r50_8xb2-150e_coco.py",
    "deformable_detr": "deformable_detr/deformable-detr_r50_16xb2-50e_coco.py",
    "dino": "dino/dino-4scale_r50_8xb2-12e_coco.py",
}
FIXED_WIDTH = ("detr", "deformable_detr", "dino")


def small(name):
    """Return a small detector and a batch of three images with boxes."""
    cfg = read_config_file(f"mmdet::{BASES[name]}")
    cfg.model.backbone.update(depth=18)
    neck = cfg.model.neck
    widths = {256: 64, 512: 128, 1024: 256, 2048: 512}
    neck.in_channels = [widths[channels] for channels in neck.in_channels]
    shrink(cfg.model, narrow=name not in FIXED_WIDTH)
    if "num_queries" in cfg.model:  # an image as small has not as many places
        cfg.model.num_queries = 10
    for transform in cfg.train_dataloader.dataset.pipeline:
        if transform.type == "Resize":
            transform.scale = (96, 64)
    cfg.train_dataloader.batch_size = 3
    seed_everything(0)
    model, _ = build_for_steps(cfg, 1)
    batch = noise_batch(cfg, with_masks=name == "mask")
    if batch["inputs"][0].shape[-1] > 128:
        batch["inputs"] = [image[:, :64, :96].contiguous() for image in batch["inputs"]]
    return model, batch


def plainly(model, batch):
    """The losses as training computes them, norms by their statistics and without dropout."""
    model = copy.deepcopy(model)
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm | torch.nn.Dropout):
            module.eval()
        if isinstance(module, torch.nn.MultiheadAttention):
            module.dropout = 0.0
    data = model.data_preprocessor(copy.deepcopy(batch), True)
    seed_everything(5)
    with torch.no_grad():
        return model.parse_losses(model(**data, mode="loss"))[1]


@pytest.mark.parametrize("name", BASES)
def test_it_is_trainings_loss_and_the_detector_stays_as_it_is(name):
    model, batch = small(name)
    expected = plainly(model, batch)
    state = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    seed_everything(5)
    losses = batch_losses(loss_copy(model), batch, rescale=False)
    assert losses.keys() == expected.keys() and "loss" in losses
    assert losses == pytest.approx({key: float(value) for key, value in expected.items()}, 1e-4)
    assert losses["loss"] > 0
    assert modes == [module.training for module in model.modules()]
    after = model.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in state.items())
    if name == "dynamic":  # it counts what its loss sees
        assert model.roi_head.iou_history == []


LOADING = dict(type="LoadAnnotations", with_bbox=True, with_mask=True)


@pytest.mark.parametrize(
    ("resize", "pad"),
    [
        (dict(scale=(150, 90), keep_ratio=True), []),
        (dict(scale=(96, 200), keep_ratio=False), []),
        (dict(scale=(96, 96), keep_ratio=True), [dict(type="Pad", size=(128, 160))]),
    ],
)
def test_boxes_and_masks_are_resized_as_training_resizes_them(tiny_data, resize, pad):
    from mmdet.registry import DATASETS

    from fzmm.engine.validation_loss import _at_input_scale

    resize = dict(type="Resize", **resize)
    pack = dict(type="PackDetInputs")
    orders = [[LOADING, resize, *pad, pack], [resize, *pad, LOADING, pack]]
    assert [truth_needs_rescaling(order) for order in orders] == [False, True]
    in_training, in_test = (
        DATASETS.build(
            dict(
                type="CocoDataset",
                ann_file=str(tiny_data["val_ann"]),
                data_prefix=dict(img=f"{tiny_data['val_images']}/"),
                metainfo=dict(classes=[f"digit {number}" for number in range(10)]),
                test_mode=True,
                pipeline=[dict(type="LoadImageFromFile"), *order],
            )
        )
        for order in orders
    )
    for index in range(len(in_test)):
        sample = in_test[index]["data_samples"]
        before = copy.deepcopy(sample.gt_instances.bboxes.tensor)
        ours = _at_input_scale(sample).gt_instances
        theirs = in_training[index]["data_samples"].gt_instances
        assert len(theirs) > 0
        assert torch.equal(ours.bboxes.tensor, theirs.bboxes.tensor)
        assert np.array_equal(ours.masks.masks, theirs.masks.masks)
        assert torch.equal(ours.labels, theirs.labels)
        assert torch.equal(sample.gt_instances.bboxes.tensor, before)


@pytest.mark.parametrize(
    ("kinds", "reason"),
    [
        (["LoadImageFromFile", "Resize", "PackDetInputs"], "loads no annotations"),
        (["LoadImageFromFile", "RandomCenterCropPad", "LoadAnnotations"], "RandomCenterCropPad"),
    ],
)
def test_a_pipeline_that_does_not_say_where_boxes_are_is_refused(kinds, reason):
    with pytest.raises(UserError, match=reason):
        truth_needs_rescaling([dict(type=kind) for kind in kinds])


def test_images_without_boxes_and_crowds_take_part_as_in_training():
    model, batch = small("faster")
    seed_everything(5)
    whole = batch_losses(loss_copy(model), batch, rescale=False)
    empty, crowd = (copy.deepcopy(batch) for _ in range(2))
    for sample in empty["data_samples"]:
        sample.gt_instances = sample.gt_instances[:0]
    for sample in crowd["data_samples"]:
        sample.ignored_instances = sample.gt_instances[:3]
        sample.gt_instances = sample.gt_instances[3:]
    for other in (empty, crowd):
        expected = plainly(model, other)
        seed_everything(5)
        losses = batch_losses(loss_copy(model), other, rescale=False)
        assert losses == pytest.approx({k: float(v) for k, v in expected.items()}, 1e-4)
        assert losses["loss"] != whole["loss"]
