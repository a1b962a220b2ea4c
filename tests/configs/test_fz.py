"""The configs of the study say what the thesis says."""

from pathlib import Path

import pytest
from mmengine.config import Config

from fzmm.scenarios import FROZEN_STAGES, scenario_name

ROOT = Path(__file__).parents[2]
FZ = ROOT / "configs" / "fz"
# data amount: fraction, annotation file
AMOUNTS = {
    "coco100": (1.0, "annotations/instances_train2017.json"),
    "coco50": (0.5, "annotations/fz/coco50.json"),
    "coco25-1": (0.25, "annotations/fz/coco25-1.json"),
    "coco25-2": (0.25, "annotations/fz/coco25-2.json"),
    "coco25-3": (0.25, "annotations/fz/coco25-3.json"),
}


def test_every_scenario_has_its_file():
    expected = {f"{amount}_{scenario_name(k)}.py" for amount in AMOUNTS for k in FROZEN_STAGES}
    assert expected <= {path.name for path in FZ.glob("*.py")}


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize("frozen_stages", FROZEN_STAGES)
def test_recipe(amount, frozen_stages):
    path = FZ / f"{amount}_{scenario_name(frozen_stages)}.py"
    assert len([line for line in path.read_text().splitlines() if line]) <= 3
    cfg = Config.fromfile(path)
    fraction, ann_file = AMOUNTS[amount]

    assert cfg.study == dict(dataset="coco", data_amount=amount, fraction=fraction)
    train = cfg.train_dataloader
    assert train.dataset.data_root + train.dataset.ann_file == f"data/coco/{ann_file}"
    assert train.batch_size == 2 and cfg.auto_scale_lr.base_batch_size == 8
    assert train.dataset.filter_cfg.filter_empty_gt
    assert [step.prob for step in train.dataset.pipeline if step.type == "RandomFlip"] == [0.5]
    assert [step.scale for step in train.dataset.pipeline if step.type == "Resize"] == [(1333, 800)]
    assert cfg.val_evaluator.ann_file == "data/coco/annotations/instances_val2017.json"

    backbone = cfg.model.backbone
    assert (backbone.depth, backbone.frozen_stages) == (50, frozen_stages)
    assert backbone.norm_eval and not backbone.norm_cfg.requires_grad
    assert backbone.init_cfg.checkpoint == "torchvision://resnet50"

    assert cfg.train_cfg.type == "IterBasedTrainLoop"
    assert cfg.train_cfg.max_iters == 381_108
    warm_up, decay = cfg.param_scheduler
    assert (warm_up.type, warm_up.start_factor, warm_up.end) == ("LinearLR", 0.001, 1001)
    assert (decay.type, decay.milestones, decay.gamma) == ("MultiStepLR", [234_528, 322_476], 0.1)
    assert not warm_up.by_epoch and not decay.by_epoch
    assert train.batch_sampler.type == "ResumableAspectRatioBatchSampler"
    assert cfg.default_hooks.checkpoint.save_best == "coco/bbox_mAP"
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.momentum) == ("SGD", 0.01, 0.9)
    assert optimizer.weight_decay == 1e-4


def test_torchvision_values():
    model = Config.fromfile(FZ / "coco100_unfrozen.py").model
    for loss in (model.rpn_head.loss_bbox, model.roi_head.bbox_head.loss_bbox):
        assert (loss.type, loss.beta) == ("SmoothL1Loss", 1 / 9)
    align = model.roi_head.bbox_roi_extractor.roi_layer
    assert (align.output_size, align.sampling_ratio, align.aligned) == (7, 2, False)
    assert model.train_cfg.rpn_proposal.nms_pre == model.train_cfg.rpn_proposal.max_per_img == 2000
    assert model.test_cfg.rpn.nms_pre == model.test_cfg.rpn.max_per_img == 1000
    assert model.train_cfg.rpn.assigner.min_pos_iou == 0.0
    assert model.test_cfg.rcnn.score_thr == 0.05


@pytest.mark.parametrize("frozen_stages", FROZEN_STAGES)
def test_what_is_frozen(frozen_stages):
    """Which parameters train is what the file's name says, batch norm never among them."""
    from mmdet.registry import MODELS
    from mmdet.utils import register_all_modules

    register_all_modules()
    cfg = Config.fromfile(FZ / f"coco50_{scenario_name(frozen_stages)}.py")
    backbone = MODELS.build(dict(cfg.model.backbone, init_cfg=None))
    backbone.train()
    frozen = {"conv1"} if frozen_stages >= 0 else set()
    frozen |= {f"layer{stage}" for stage in range(1, frozen_stages + 1)}
    for name, parameter in backbone.named_parameters():
        norm = ".bn" in f".{name}" or "downsample.1" in name
        assert parameter.requires_grad == (not norm and name.split(".")[0] not in frozen), name
    assert not any(module.training for module in backbone.modules() if hasattr(module, "eps"))


def test_toy_is_the_same_study_in_the_small():
    names = {path.stem for path in (ROOT / "configs" / "toy").glob("*.py")}
    assert names == {
        f"{a}_{s}" for a in ("toy100", "toy25") for s in ("unfrozen", "frozen2", "frozen4")
    }
    for name in names:
        cfg = Config.fromfile(ROOT / "configs" / "toy" / f"{name}.py")
        assert cfg.study.data_amount == name.split("_")[0]
        assert scenario_name(cfg.model.backbone.frozen_stages) == name.split("_")[1]
        length, milestones = cfg.train_cfg.max_iters, cfg.param_scheduler[1].milestones
        assert milestones == [round(length * 16 / 26), round(length * 22 / 26)]
