"""Every backbone of the table: it builds, freezes what it says, and takes its real weights."""

import copy

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.utils import is_installed

from fzmm.detector_config.backbones import BACKBONES
from fzmm.detector_config.freezing import register_modules
from fzmm.models.faster_modules import FASTER_MODULES

from ..conftest import randomise_norms
from .comparison import assert_same

register_modules()

RESIDUAL = [["conv1.", "bn1."], ["layer1."], ["layer2."], ["layer3."], ["layer4."]]
VGG = {16: [0, 5, 10, 17, 24, 31], 19: [0, 5, 10, 19, 28, 37]}  # where each stage begins


def vgg_parts(depth):
    starts = VGG[depth]
    return [
        [f"features.{i}." for i in range(a, b)]
        for a, b in zip(starts[:-1], starts[1:], strict=True)
    ]


def lite0_parts():
    blocks = [range(3), range(3, 5), range(5, 11), range(11, 16)]
    return [["_conv_stem.", "_bn0."], *([f"_blocks.{i}." for i in stage] for stage in blocks)]


# What each further number of frozen_stages freezes, and the first of the numbers that does.
PARTS = {
    **{name: (0, RESIDUAL) for name in BACKBONES if name.startswith(("resn", "regnet"))},
    "vgg16": (1, vgg_parts(16)),
    "vgg19": (1, vgg_parts(19)),
    "mobilenetv2": (0, [["conv1."], *([f"layer{i}."] for i in range(1, 8))]),
    "efficientnet-lite0": (0, lite0_parts()),
    "swin-t": (0, [["patch_embed."], *([f"stages.{i}.", f"norm{i}."] for i in range(4))]),
    "convnext-t": (
        1,
        [[f"downsample_layers.{i}.", f"stages.{i}."] for i in range(4)],
    ),
}
HAS_MMPRETRAIN = is_installed("mmpretrain") and is_installed("torchvision")


def case(name, *numbers):
    """A test's parameters, skipped where the backbone's package is not installed."""
    missing = BACKBONES[name].package is not None and not HAS_MMPRETRAIN
    reason = f"needs {BACKBONES[name].package} and torchvision"
    return pytest.param(name, *numbers, marks=pytest.mark.skipif(missing, reason=reason))


CASES = [
    case(name, number)
    for name, (first, parts) in PARTS.items()
    for number in (-1, *range(first, first + len(parts)))
    if BACKBONES[name].config.get("depth", 0) < 101 or number in (-1, 1, 4)
]


# Narrower than in the table, with all the blocks; a dropped path would be one without gradients.
NARROW = {
    "ResNet": dict(base_channels=16),
    "ResNeXt": dict(base_channels=16),
    "mmpretrain.ConvNeXt": dict(drop_path_rate=0.0),
    "SwinTransformer": dict(embed_dims=24, num_heads=[1, 2, 4, 8], drop_path_rate=0.0),
}


def build(name, frozen_stages, kind=None, **changes):
    torch.manual_seed(0)
    config = dict(copy.deepcopy(BACKBONES[name].config), frozen_stages=frozen_stages)
    config.update(NARROW.get(config["type"], {}), init_cfg=None, **changes)
    model = randomise_norms(MODELS.build(dict(config, type=kind or config["type"])))
    model.train()  # which returns None in some of MMDetection's
    return model


def expected_frozen(name, model, frozen_stages):
    """Names of the parameters that a number freezes; batch norms are constant in any case."""
    first, parts = PARTS[name]
    frozen = tuple(prefix for part in parts[: max(0, frozen_stages + 1 - first)] for prefix in part)
    norms = {
        f"{path}.{key}"
        for path, module in model.named_modules()
        if isinstance(module, torch.nn.BatchNorm2d)
        for key in ("weight", "bias")
    }
    names = [key for key, _ in model.named_parameters()]
    return {key for key in names if key in norms or (frozen and key.startswith(frozen))}


def step(model):
    """Train a step in which every parameter that takes part has a gradient."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    outs = model(torch.randn(1, 3, 64, 64))
    loss = sum((out * torch.randn_like(out)).mean() for out in outs)
    if loss.requires_grad:
        loss.backward()
    optimizer.step()


@pytest.mark.parametrize(("name", "frozen_stages"), CASES)
def test_exactly_the_frozen_parameters_stay_to_the_bit(name, frozen_stages):
    model = build(name, frozen_stages)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    step(model)
    parameters = dict(model.named_parameters())
    stayed = {key for key, value in parameters.items() if torch.equal(value, before[key])}
    assert stayed == expected_frozen(name, model, frozen_stages)
    buffers = before.keys() - parameters.keys()
    assert all(torch.equal(model.state_dict()[key], before[key]) for key in buffers)


@pytest.mark.parametrize("name", [case(name) for name in BACKBONES])
def test_four_maps_for_an_fpn(name):
    model = build(name, BACKBONES[name].config["frozen_stages"])
    model.eval()
    with torch.no_grad():
        outs = model(torch.randn(1, 3, 64, 64))
    assert [out.shape[-1] for out in outs] == [16, 8, 4, 2]


@pytest.mark.parametrize("name", [name for name in PARTS if name != "convnext-t"])
def test_a_number_that_it_does_not_know_is_refused(name):
    first, parts = PARTS[name]
    with pytest.raises((ValueError, AttributeError, IndexError)):
        build(name, first + len(parts))


NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def resnet_keys(*blocks, convolutions=3):
    """Keys of torchvision's ResNet, as its own ``state_dict()`` has them.

    A block has three convolutions, or two where the first stage does not widen its input.
    """
    keys = ["conv1.weight", *(f"bn1.{key}" for key in NORM), "fc.weight", "fc.bias"]
    for stage, count in enumerate(blocks, 1):
        for block in (f"layer{stage}.{i}" for i in range(count)):
            numbers = range(1, convolutions + 1)
            keys += [f"{block}.conv{i}.weight" for i in numbers]
            keys += [f"{block}.bn{i}.{key}" for i in numbers for key in NORM]
        if convolutions == 2 and stage == 1:
            continue
        keys += [f"layer{stage}.0.downsample.0.weight"]
        keys += [f"layer{stage}.0.downsample.1.{key}" for key in NORM]
    return keys


def vgg_keys(*convolutions):
    """Keys of torchvision's VGG: a ReLU has its number, too, and so has a pooling."""
    numbers, number = [], 0
    for count in convolutions:
        numbers += range(number, number + 2 * count, 2)
        number += 2 * count + 1
    layers = [*(f"features.{i}" for i in numbers), *(f"classifier.{i}" for i in (0, 3, 6))]
    return [f"{layer}.{key}" for layer in layers for key in ("weight", "bias")]


def load_pretrained(model, content, folder, **init_cfg):
    """Initialise a model from a file, as a training does."""
    path = folder / "weights.pth"
    torch.save(content, path)
    model.init_cfg = ConfigDict(type="Pretrained", checkpoint=str(path), **init_cfg)
    model._is_init = False
    model.init_weights()


TORCHVISION = {
    "resnet18": resnet_keys(2, 2, 2, 2, convolutions=2),
    "resnet34": resnet_keys(3, 4, 6, 3, convolutions=2),
    "resnet50": resnet_keys(3, 4, 6, 3),
    "resnet101": resnet_keys(3, 4, 23, 3),
    "resnext50": resnet_keys(3, 4, 6, 3),
    "vgg16": vgg_keys(2, 2, 3, 3, 3),
    "vgg19": vgg_keys(2, 2, 4, 4, 4),
}


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvisions_weights_load_by_their_keys(name, tmp_path):
    model = build(name, -1)
    state = model.state_dict()
    weights = {
        key: torch.rand_like(state[key].float()) if key in state else torch.rand(2)
        for key in TORCHVISION[name]
    }
    load_pretrained(model, weights, tmp_path)
    for key, value in model.state_dict().items():
        assert torch.equal(value, weights[key].to(value.dtype)), key


@pytest.mark.parametrize("name", [case("convnext-t")])
def test_the_weights_of_mmpretrains_classifier_load(name, tmp_path):
    spec = copy.deepcopy(BACKBONES[name].config)
    checkpoint = spec.pop("init_cfg")
    head = dict(type="LinearClsHead", num_classes=2, in_channels=768)
    backbone = dict(type="ConvNeXt", arch=spec["arch"])
    classifier = MODELS.build(
        dict(type="ImageClassifier", _scope_="mmpretrain", backbone=backbone, head=head)
    )
    weights = {key: torch.rand_like(value) for key, value in classifier.state_dict().items()}
    model = MODELS.build(spec)
    load_pretrained(model, {"state_dict": weights}, tmp_path, prefix=checkpoint["prefix"])
    state = model.state_dict()
    of_maps = {f"norm{i}.{key}" for i in range(3) for key in ("weight", "bias")}
    assert {key for key in state if f"backbone.{key}" not in weights} == of_maps
    for key in state.keys() - of_maps:
        assert torch.equal(state[key], weights[f"backbone.{key}"]), key


FOLDED = {"resnext50": 4, "regnetx-400mf": 4, "mobilenetv2": 7, "vgg16": 5}


@pytest.mark.parametrize(
    ("name", "frozen_stages"), [(name, k) for name, last in FOLDED.items() for k in (-1, 2, last)]
)
def test_the_faster_twin_computes_the_same(name, frozen_stages):
    stock = build(name, frozen_stages)
    fast = build(name, frozen_stages, FASTER_MODULES[BACKBONES[name].config["type"]][0])
    fast.load_state_dict(stock.state_dict())
    x = torch.randn(1, 3, 64, 96)
    assert_same(stock, fast, x, rtol=0.03, output_rtol=1e-5)  # a value or two changes sides
    stock.zero_grad(), fast.zero_grad()
    assert_same(stock.double(), fast.double(), x.double(), rtol=1e-8)


def test_the_statistics_of_a_frozen_stem_stay():
    model = build("mobilenetv2", 0, norm_eval=False)
    model.train()
    before = {name: value.clone() for name, value in model.conv1.state_dict().items()}
    model(torch.rand(2, 3, 64, 64))
    assert all(torch.equal(before[name], value) for name, value in model.conv1.state_dict().items())
    assert model.layer1.training
