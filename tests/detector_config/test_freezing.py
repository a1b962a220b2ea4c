"""What frozen_stages means is measured in each backbone, not assumed."""

from importlib import metadata

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config

from fzmm.detector_config.backbone_changes import feature_maps, set_backbone, set_depth
from fzmm.detector_config.backbones import BACKBONES, BackboneSpec
from fzmm.detector_config.detector import class_places, place_name
from fzmm.detector_config.detector_changes import set_classes
from fzmm.detector_config.freezing import build_backbone, register_modules, scenarios_of
from fzmm.detector_config.pretrained_file import prefix_in
from fzmm.errors import UserError
from fzmm.paths import CONFIGS
from fzmm.scenarios import FROZEN_STAGES, trainable_stages

RESNET = [(frozen, trainable_stages(frozen)) for frozen in FROZEN_STAGES]
COUNTS = {
    "ResNet": (dict(depth=18), RESNET),
    "EfficientNetLite0": ({}, RESNET),
    # MMDetection's leaves its last convolution to train at every number
    "MobileNetV2": ({}, [(frozen, 8 - frozen) for frozen in range(-1, 8)]),
    # 0 freezes nothing in it; the stem is the first of six parts
    "Darknet": (dict(depth=53), [(-1, 6), (1, 5), (2, 4), (3, 3), (4, 2), (5, 1), (6, 0)]),
}


@pytest.mark.parametrize("kind", COUNTS)
def test_stages_are_what_the_backbone_knows(kind):
    arguments, expected = COUNTS[kind]
    scenarios = scenarios_of(dict(backbone=dict(type=kind, **arguments)), "a.py")
    assert [(s.frozen_stages, s.trainable_stages) for s in scenarios.values()] == expected
    counts = [s.trainable_parameters for s in scenarios.values()]
    assert counts == sorted(counts, reverse=True) and bool(counts[-1]) == bool(expected[-1][1])
    names = [s.name for s in scenarios.values()]
    assert names == ["unfrozen", *(f"frozen{frozen}" for frozen, _ in expected[1:])]


def test_what_is_frozen_has_names():
    scenarios = scenarios_of(dict(backbone=dict(type="ResNet", depth=18)), "a.py")
    assert scenarios[-1].frozen_modules == ()
    assert scenarios[2].frozen_modules == ("conv1", "layer1", "layer2")
    vgg = scenarios_of(dict(backbone=BACKBONES["vgg16"].config), "a.py")
    assert vgg[1].frozen_modules == ("features.0", "features.2")


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (dict(type="A"), "a.py: has no model.backbone"),
        (dict(backbone=dict(type="Nobody")), "the backbone Nobody, which is not known"),
        (dict(backbone=dict(type="HourglassNet")), "which has no frozen_stages"),
    ],
)
def test_a_detector_that_cannot_take_part_is_refused(model, reason):
    with pytest.raises(UserError, match=reason):
        scenarios_of(model, "a.py")


def fpn_detector(channels):
    return dict(
        type="FasterRCNN",
        backbone=dict(type="ResNet", depth=50, out_indices=(0, 1, 2, 3)),
        neck=dict(type="FPN", in_channels=channels, out_channels=64, num_outs=5),
    )


def installed(package):
    return any(distribution.name == package for distribution in metadata.distributions())


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_of_the_table_fits_the_neck(name):
    register_modules()
    package = BACKBONES[name].package
    if package and not installed(package):
        pytest.skip(f"{package} is not installed")
    changes = set_backbone(fpn_detector([256, 512, 1024, 2048]), name)
    maps = feature_maps({k: v for k, v in changes["backbone"].items() if k != "_delete_"})
    widths = changes.get("neck", {}).get("in_channels", [256, 512, 1024, 2048])
    assert maps.strides == (4, 8, 16, 32) and list(maps.channels) == widths
    assert changes["data_preprocessor"]["mean"] == list(BACKBONES[name].mean)


def test_an_unknown_backbone_and_a_strange_neck_are_refused():
    with pytest.raises(UserError, match="--backbone resnet7: none of "):
        set_backbone(fpn_detector([256, 512, 1024, 2048]), "resnet7")
    register_modules()
    with pytest.raises(UserError, match="the base's neck takes"):
        set_backbone(fpn_detector([1, 2, 3, 4]), "efficientnet-lite0")


def test_a_backbone_whose_package_is_missing_is_refused_with_the_command(monkeypatch):
    spec = BackboneSpec(dict(type="ConvNeXt"), package="fzmm-none")
    monkeypatch.setitem(BACKBONES, "none", spec)
    with pytest.raises(UserError, match="--backbone none: needs a package; pip install fzmm-none"):
        set_backbone(fpn_detector([256, 512, 1024, 2048]), "none")
    unfitting = BackboneSpec(dict(type="ConvNeXt"), imports=("fzmm_none",))
    monkeypatch.setitem(BACKBONES, "none", unfitting)
    with pytest.raises(UserError, match="fzmm_none, which it needs, cannot be imported"):
        set_backbone(fpn_detector([256, 512, 1024, 2048]), "none")


def test_every_head_gets_the_classes_and_proposals_do_not():
    head = dict(type="H", num_classes=80)
    model = dict(rpn_head=dict(num_classes=1), roi_head=dict(bbox_head=[dict(head), dict(head)]))
    assert [place_name(path) for path, _ in class_places(model)] == [
        "model.roi_head.bbox_head[0].num_classes",
        "model.roi_head.bbox_head[1].num_classes",
    ]
    changes = set_classes(model, 3)
    assert changes == dict(roi_head=dict(bbox_head=[dict(type="H", num_classes=3)] * 2))
    assert model["rpn_head"]["num_classes"] == 1


RESNET18 = dict(type="ResNet", depth=18)


@pytest.fixture
def weights_file(tmp_path):
    """Return a function that writes a ResNet-18's weights, as a detector's with a prefix."""
    register_modules()

    def write(prefix="", **changes):
        state = build_backbone(RESNET18 | changes, on_meta=False).state_dict()
        state = {prefix + name: value for name, value in state.items()} | {"fc": torch.ones(2)}
        torch.save(dict(state_dict=state), tmp_path / "weights.pth")
        return str(tmp_path / "weights.pth")

    return write


@pytest.mark.parametrize("prefix", ["", "backbone."])
def test_a_file_of_a_backbones_weights_is_found_to_fit(weights_file, prefix):
    assert prefix_in(weights_file(prefix), RESNET18) == prefix


def test_a_file_that_would_load_nothing_or_a_part_is_refused(weights_file, tmp_path):
    reason = "weights.pth: holds no weights for 20 of the tensors of a ResNet, such as conv1.weight"
    with pytest.raises(UserError, match=reason):
        prefix_in(weights_file("encoder."), RESNET18)
    with pytest.raises(UserError, match="weights.pth: holds no weights for .* another backbone"):
        prefix_in(weights_file(), RESNET18 | dict(depth=50))
    (tmp_path / "text.pth").write_text("no weights")
    for name, reason in (("none.pth", "no such file"), ("text.pth", "text.pth: ")):
        with pytest.raises(UserError, match=reason) as refused:
            prefix_in(str(tmp_path / name), RESNET18)
        assert "\n" not in str(refused.value)


class NormsFirst(torch.nn.Module):
    """A backbone whose first number freezes norms alone."""

    def __init__(self, frozen_stages=-1, init_cfg=None):
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(3)
        self.parts = torch.nn.ModuleList(torch.nn.Conv2d(3, 3, 1) for _ in range(2))
        for number, part in enumerate((self.norm, *self.parts)):
            for parameter in part.parameters():
                parameter.requires_grad = number > frozen_stages
        if frozen_stages > 2:
            raise ValueError(frozen_stages)


def test_scenarios_have_names_of_their_own():
    register_modules()
    MODELS.register_module(module=NormsFirst, force=True)
    scenarios = scenarios_of(dict(backbone=dict(type="NormsFirst")), "a.py")
    names = [scenario.name for scenario in scenarios.values()]
    assert names == ["unfrozen", "frozen0", "frozen1", "frozen2"]


def test_a_resnet_of_unusual_strides_is_kept_by_its_depth():
    model = Config.fromfile(CONFIGS / "rfcn/rfcn_r50_coco.py").model.to_dict()
    with pytest.raises(UserError, match="take another base, or keep its ResNet by --depth 101"):
        set_backbone(model, "resnet101")
    assert set_depth(model, 101)["backbone"]["depth"] == 101
    with pytest.raises(UserError, match="take another base$"):
        set_backbone(model, "vgg16")
    with pytest.raises(UserError, match="the base has no model.backbone to replace"):
        set_backbone(dict(type="FasterRCNN"), "vgg16")
