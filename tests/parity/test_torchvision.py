"""The study's recipe beside torchvision's, number for number.

``torchvision.npz`` holds what torchvision 0.29.1 computes for ``cases.py``. ``make
test-torchvision`` measures that anew with torchvision itself, in an environment of its own, and
names the file in ``FZMM_TORCHVISION``.
"""

import copy
import importlib
import os
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from mmcv.transforms import TRANSFORMS
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.optim import LinearLR, MultiStepLR
from mmengine.structures import InstanceData

import fzmm.register  # noqa: F401
from fzmm.models.faster_modules import use_faster_modules
from fzmm.models.torchvision_weights import from_torchvision
from fzmm.scenarios import FROZEN_STAGES, scenario_name
from tests.parity import cases

HERE = Path(__file__).parent
FZ = HERE.parents[1] / "configs" / "fz"
COMMITTED = HERE / "torchvision.npz"
LOSSES = ("loss_rpn_cls", "loss_rpn_bbox", "loss_cls", "loss_bbox")

register_all_modules()


@pytest.fixture(scope="module")
def torchvision():
    """What torchvision computes, by name."""
    return np.load(os.environ.get("FZMM_TORCHVISION", COMMITTED))


def study(frozen_stages=1):
    cfg = Config.fromfile(FZ / f"coco100_{scenario_name(frozen_stages)}.py")
    cfg.model.backbone.init_cfg = None
    cfg.model.roi_head.bbox_head.num_classes = cases.CLASSES
    return cfg


@pytest.fixture(scope="module")
def rpn_head():
    return MODELS.build(detector_cfg()).rpn_head


def detector_cfg(**proposals):
    model = study().model
    model.train_cfg.rpn_proposal.update(proposals)
    return model


def test_the_fixture_is_what_torchvision_computes(torchvision):
    committed = np.load(COMMITTED)
    assert COMMITTED.stat().st_size < 1_000_000
    assert list(committed) == list(torchvision)
    for name, values in committed.items():
        if values.dtype.kind == "U":
            assert (values == torchvision[name]).all(), name
        else:
            np.testing.assert_allclose(torchvision[name], values, rtol=1e-6, err_msg=name)


def map_sizes(torchvision):
    return [tuple(size) for size in torchvision["map_sizes"].tolist()]


def test_anchors(torchvision, rpn_head):
    anchors = rpn_head.prior_generator.grid_priors(map_sizes(torchvision), device="cpu")
    assert np.array_equal(torch.cat(anchors).numpy(), torchvision["anchors"])


def test_labels_targets_and_positives_of_each_box(torchvision, rpn_head):
    """Of images of odd sizes in one padding, for tiny, nested and border boxes."""
    metas = [
        # what DetDataPreprocessor says of an image: its own padding is smaller than the batch's
        dict(img_shape=size, pad_shape=tuple(-(-side // 32) * 32 for side in size))
        for size in cases.IMAGE_SIZES
    ]
    anchors, valid = rpn_head.get_anchors(map_sizes(torchvision), metas, device="cpu")
    for image, boxes in enumerate(torch.from_numpy(b) for b in cases.image_boxes()):
        priors = torch.cat(anchors[image])
        assert torch.cat(valid[image]).all()
        assigned = rpn_head.assigner.assign(
            InstanceData(priors=priors),
            InstanceData(bboxes=boxes, labels=torch.zeros(len(boxes), dtype=torch.long)),
        )
        assert np.array_equal(np.sign(assigned.gt_inds), torchvision[f"labels{image}"])
        positive = assigned.gt_inds > 0
        box = assigned.gt_inds[positive] - 1
        count = np.bincount(box, minlength=len(boxes))
        assert np.array_equal(count, torchvision[f"positives_of_box{image}"])
        targets = rpn_head.bbox_coder.encode(priors[positive], boxes[box])
        expected = torch.from_numpy(torchvision[f"targets{image}"])
        torch.testing.assert_close(targets, expected, rtol=0, atol=1e-6)


def training_batch(dtype):
    """Return the padded images and the data samples of the training."""
    height, width = cases.TRAINED_PADDED
    images, boxes, labels = cases.training_batch()
    inputs = torch.zeros(len(images), 3, height, width, dtype=dtype)
    samples = []
    for i, size in enumerate(cases.TRAINED_SIZES):
        inputs[i, :, : size[0], : size[1]] = torch.from_numpy(images[i])
        own_padding = tuple(-(-side // 32) * 32 for side in size)
        info = dict(img_shape=size, pad_shape=own_padding, batch_input_shape=(height, width))
        sample = DetDataSample(metainfo=info)
        sample.gt_instances = InstanceData(
            bboxes=torch.from_numpy(boxes[i]).to(dtype), labels=torch.from_numpy(labels[i])
        )
        samples.append(sample)
    return inputs, samples


def weights_of(model):
    """Return ``cases.weight`` under the names of ``model``."""
    classes = cases.CLASSES
    shapes = {
        "roi_heads.box_predictor.cls_score.weight": (classes + 1, 1024),
        "roi_heads.box_predictor.cls_score.bias": (classes + 1,),
        "roi_heads.box_predictor.bbox_pred.weight": (4 * (classes + 1), 1024),
        "roi_heads.box_predictor.bbox_pred.bias": (4 * (classes + 1),),
    }
    for ours, value in model.state_dict().items():
        theirs = torchvision_name(ours)
        shapes.setdefault(theirs, tuple(value.shape))
    weights = {
        name: torch.from_numpy(np.asarray(cases.weight(name, shape)))
        for name, shape in shapes.items()
        if "num_batches_tracked" not in name
    }
    return from_torchvision(weights)


def torchvision_name(name):
    for ours, theirs in (
        ("backbone.", "backbone.body."),
        ("neck.lateral_convs.", "backbone.fpn.inner_blocks."),
        ("neck.fpn_convs.", "backbone.fpn.layer_blocks."),
        ("rpn_head.rpn_conv.", "rpn.head.conv.0.0."),
        ("rpn_head.rpn_cls.", "rpn.head.cls_logits."),
        ("rpn_head.rpn_reg.", "rpn.head.bbox_pred."),
        ("roi_head.bbox_head.shared_fcs.0.", "roi_heads.box_head.fc6."),
        ("roi_head.bbox_head.shared_fcs.1.", "roi_heads.box_head.fc7."),
        ("roi_head.bbox_head.fc_cls.", "roi_heads.box_predictor.cls_score."),
        ("roi_head.bbox_head.fc_reg.", "roi_heads.box_predictor.bbox_pred."),
    ):
        if name.startswith(ours):
            return theirs + name.removeprefix(ours).replace(".conv.", ".0.")
    raise KeyError(name)


def fixed_permutation(n, **kwargs):
    """Stand for ``torch.randperm``, so that both sides sample the same anchors."""
    return torch.from_numpy(cases.permutation(n))


_extension = importlib.import_module("mmcv.ops.nms").ext_module
_nms = _extension.nms


def nms_of_doubles(boxes, scores, **kwargs):
    """MMCV's NMS takes single precision only; ranks as scores keep the order of doubles."""
    return _nms(boxes.float(), scores.argsort().argsort().float(), **kwargs)


def train(cfg, dtype):
    """Return losses (steps, 4), gradients' norms (steps, parameters) and the parameters' names."""
    model = MODELS.build(cfg).to(dtype)
    model.load_state_dict(weights_of(model), strict=False)
    model.train()
    parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.SGD(parameters.values(), **cases.OPTIMIZER)
    inputs, samples = training_batch(dtype)
    losses, norms = [], []
    for _ in range(cases.STEPS):
        with mock.patch("torch.randperm", fixed_permutation):
            with mock.patch.object(_extension, "nms", nms_of_doubles):
                loss, log = model.parse_losses(model.loss(inputs, copy.deepcopy(samples)))
        optimizer.zero_grad()
        loss.backward()
        norms.append([float(p.grad.norm()) for p in parameters.values()])
        losses.append([float(log[name].detach()) for name in LOSSES])
        optimizer.step()
    return np.array(losses), np.array(norms), list(parameters)


@pytest.mark.parametrize(
    ("modules", "dtype", "tolerance"),
    [("stock", torch.float64, 1e-6), ("faster", torch.float32, 1e-3)],
)
def test_losses_and_gradients_of_sgd_steps(torchvision, modules, dtype, tolerance):
    cfg = detector_cfg(max_per_img=cases.PROPOSALS)
    if modules == "faster":
        cfg = use_faster_modules(cfg)
    losses, norms, names = train(cfg, dtype)
    np.testing.assert_allclose(losses, torchvision["losses"], rtol=tolerance)
    expected = dict(zip(torchvision["parameters"], torchvision["gradient_norms"].T, strict=True))
    assert sorted(expected) == sorted(names)
    expected = np.array([expected[name] for name in names]).T
    np.testing.assert_allclose(norms, expected, rtol=tolerance, atol=tolerance * 1e-3)


@pytest.mark.parametrize("frozen_stages", FROZEN_STAGES)
def test_trained_parameters(torchvision, frozen_stages):
    model = MODELS.build(study(frozen_stages).model)
    trained = sorted(n for n, p in model.named_parameters() if p.requires_grad)
    assert trained == torchvision[f"trained_frozen{frozen_stages}"].tolist()


def test_no_norm_starts_at_zero_from_scratch(torchvision):
    backbone = MODELS.build(Config.fromfile(FZ / "coco100_scratch.py").model.backbone)
    backbone.init_weights()
    zeros = [m for m in backbone.modules() if hasattr(m, "bn3") and (m.bn3.weight == 0).all()]
    assert len(zeros) == torchvision["zero_init"] == 0


def test_learning_rates(torchvision):
    """Of the warm-up and around the decays; between them nothing happens."""
    expected, cfg = torchvision["learning_rates"], study()
    assert len(expected) == cfg.train_cfg.max_iters
    optimizer = torch.optim.SGD(
        [torch.nn.Parameter(torch.zeros(1))], lr=cfg.optim_wrapper.optimizer.lr
    )
    linear, steps = ({k: v for k, v in s.items() if k != "type"} for s in cfg.param_scheduler)
    schedulers = [LinearLR(optimizer, **linear), MultiStepLR(optimizer, **steps)]
    rates = []
    for _ in range(len(expected)):
        rates.append(optimizer.param_groups[0]["lr"])
        for scheduler in schedulers:
            scheduler.step()
    np.testing.assert_allclose(rates, expected, rtol=1e-12, atol=0)


def test_resized_shapes_differ_by_rounding_alone(torchvision):
    """OpenCV rounds to the nearest pixel, torchvision down; configs/fz/README.md says how often."""
    resize = next(t for t in study().train_pipeline if t.type == "Resize")
    transform = TRANSFORMS.build(resize)
    shapes = []
    for height, width in cases.original_sizes():
        image = np.zeros((height, width), np.uint8)
        shapes.append(transform(dict(img=image, img_shape=image.shape))["img"].shape[:2])
    difference = np.array(shapes) - torchvision["resized"]
    assert set(difference.ravel()) == {0, 1}


def test_normalised_and_padded_images(torchvision):
    preprocessor = MODELS.build(study().model.data_preprocessor)
    bgr = torch.from_numpy(cases.photograph()[..., ::-1].copy()).permute(2, 0, 1)
    batch = preprocessor(dict(inputs=[bgr], data_samples=[DetDataSample()]), True)["inputs"]
    torch.testing.assert_close(
        batch[0], torch.from_numpy(torchvision["normalised"]), rtol=0, atol=1e-5
    )
