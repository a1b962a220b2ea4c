"""Any detector of MMDetection whose backbone freezes can be studied; each freezes what it says."""

import pytest
import torch
from mmengine.config import Config

from fzmm.detector_config.freezing import scenarios_of
from fzmm.detector_config.step_time import build_for_steps, noise_batch
from fzmm.errors import UserError
from fzmm.scenarios import FROZEN_STAGES, trainable_stages
from fzmm.study.new_study import new_study
from fzmm.study.study_detector import read_base
from fzmm.study.study_options import StudyOptions
from tests.small_detectors import shrink

DETECTORS = {
    "recipe": dict(depth=18),
    "resnet34": dict(depth=34, frozen=[-1, 2, 4]),
    "resnet101": dict(base="mmdet::retinanet/retinanet_r101_fpn_1x_coco.py", frozen=[-1, 2, 4]),
    "retinanet": dict(base="mmdet::retinanet/retinanet_r18_fpn_1x_coco.py"),
    "fcos": dict(base="mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py", depth=18),
    "cascade": dict(base="mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py", depth=18),
    "mask": dict(base="mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py", depth=18),
    "deformable_detr": dict(
        base="mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py", depth=18
    ),
    "rfcn": dict(base="configs/rfcn/rfcn_r50_coco.py", frozen=[-1, 4]),
}


FIXED_WIDTH = ("deformable_detr", "rfcn")  # heads that fit the maps of their backbone alone
RESNETS = {value: trainable_stages(value) for value in FROZEN_STAGES}


def stage_of(name):
    """0 for the stem, 1 to 4 for the residual stages."""
    return int(name[len("layer")]) if name.startswith("layer") else 0


@pytest.mark.parametrize("name", DETECTORS)
def test_each_detector_trains_a_step_and_freezes_what_it_says(name, tiny_data, tmp_path):
    options = dict(fractions=[1], gpus=1, pretrained="none", scale=(96, 64), **DETECTORS[name])
    study = new_study(
        StudyOptions(name, **tiny_data, configs_dir=tmp_path, data_dir=tmp_path, **options)
    )
    assert len(study.configs.runs) == len(DETECTORS[name].get("frozen", FROZEN_STAGES))
    for path in study.configs.runs:
        cfg = Config.fromfile(path)
        assert_is_a_run_of_the_study(cfg, name)
        frozen = cfg.model.backbone.frozen_stages
        shrink(cfg.model, narrow=name not in FIXED_WIDTH)
        cfg.optim_wrapper.optimizer.lr = 0.01  # so that a step shows in every weight
        model, optim_wrapper = build_for_steps(cfg, frozen)
        before = {key: value.clone() for key, value in model.backbone.state_dict().items()}
        batch = noise_batch(cfg, with_masks=name == "mask")
        losses = model.train_step(batch, optim_wrapper)
        assert torch.isfinite(losses["loss"])
        after = model.backbone.state_dict()
        moved = {stage_of(key) for key in after if not torch.equal(before[key], after[key])}
        assert moved == set(range(max(0, frozen + 1), 5))
        gradients = {
            stage_of(key) for key, p in model.backbone.named_parameters() if p.requires_grad
        }
        assert gradients == moved


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", DETECTORS)
def test_each_detector_trains_a_step_on_a_gpu(name, tiny_data, tmp_path):
    """Where MMDetection asks MMCV for operators that it has in Python for a CPU."""
    options = dict(fractions=[1], gpus=1, pretrained="none", scale=(96, 64), **DETECTORS[name])
    study = new_study(
        StudyOptions(name, **tiny_data, configs_dir=tmp_path, data_dir=tmp_path, **options)
    )
    cfg = Config.fromfile(study.configs.runs[0])
    model, optim_wrapper = build_for_steps(cfg, cfg.model.backbone.frozen_stages, "cuda")
    losses = model.train_step(noise_batch(cfg, with_masks=name == "mask"), optim_wrapper)
    assert torch.isfinite(losses["loss"])


def assert_is_a_run_of_the_study(cfg, name):
    assert cfg.study == dict(dataset=name, data_amount=f"{name}100", fraction=1)
    assert cfg.train_cfg.type == "IterBasedTrainLoop"
    assert len(cfg.train_dataloader.dataset.metainfo.classes) == 10
    heads = [cfg.model.get("bbox_head"), cfg.model.get("roi_head", {}).get("bbox_head")]
    heads += [cfg.model.get("roi_head", {}).get("mask_head")]
    for head in heads:
        for item in head if isinstance(head, list) else [head]:
            assert item is None or item.num_classes == 10


@pytest.mark.parametrize(
    ("base", "reason"),
    [
        ("mmdet::ssd/ssd300_coco.py", "SSDVGG, which has no frozen_stages"),
        ("mmdet::pvt/retinanet_pvt-t_fpn_1x_coco.py", "PyramidVisionTransformer, which has no"),
    ],
)
def test_a_detector_whose_backbone_cannot_be_frozen_is_refused_by_name(base, reason):
    with pytest.raises(UserError, match=reason):
        scenarios_of(read_base(base).model, base)


@pytest.mark.parametrize(
    "base",
    [
        "mmdet::yolox/yolox_tiny_8xb8-300e_coco.py",
        "mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py",
        "mmdet::regnet/retinanet_regnetx-1.6GF_fpn_1x_coco.py",
    ],
)
def test_backbones_that_count_their_stages_as_a_resnet_are_taken(base):
    scenarios = scenarios_of(read_base(base).model, base)
    assert {value: s.trainable_stages for value, s in scenarios.items()} == RESNETS


def test_masks_are_not_learnt_from_boxes(tiny_data, tmp_path):
    import json

    coco = json.loads(tiny_data["train_ann"].read_text())
    del coco["annotations"][3]["segmentation"]
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps(coco))
    with pytest.raises(UserError, match=r"annotations\[3\] of .*boxes.json has no segmentation"):
        new_study(
            StudyOptions(
                "mask",
                **{**tiny_data, "train_ann": boxes},
                base="mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py",
                configs_dir=tmp_path,
                data_dir=tmp_path,
            )
        )
