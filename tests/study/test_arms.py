"""Arms in a study's configs: what each is called, and the rates that its optimizer has."""

import io
import re

import pytest
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.optim.scheduler import LinearLR
from rich.console import Console

import fzmm.register  # noqa: F401
from fzmm.commands.new_study import print_plan
from fzmm.errors import UserError
from fzmm.study.arms import read_arms
from fzmm.study.new_study import new_study
from fzmm.study.study_options import StudyOptions
from fzmm.utils.config_file import read_config_file


@pytest.fixture(scope="module")
def configs(tiny_data, tmp_path_factory):
    """A study of a ResNet-18 with an arm of each kind: its folder of configs."""
    folder = tmp_path_factory.mktemp("study")
    arms = ["lr=0.1", "decay", "freeze=neck,rpn_head", "release=0.25"]
    options = dict(fractions=[1], frozen=[-1], depth=18, pretrained="none", arms=arms)
    folders = dict(configs_dir=folder / "configs", data_dir=folder / "data")
    study = new_study(StudyOptions("mine", **tiny_data, **folders, **options))
    assert [path.stem for path in study.configs.runs] == [
        f"mine100_{name}"
        for name in ("unfrozen", "lr01", "decay075", "freeze_neck_rpn_head", "release025")
    ]
    console = Console(width=150, file=io.StringIO())
    print_plan(study, console)
    plan = console.file.getvalue()
    assert "release025" in plan and "freezing the backbone for 25% of the schedule" in plan
    assert "--arms lr=0.1 decay freeze=neck,rpn_head release=0.25" in options_line(folder)
    return folder / "configs/mine"


def options_line(folder):
    text = (folder / "configs/mine/_base_/mine100.py").read_text()
    return " ".join(text.replace("\n#", " ").split())


def rates_of(path):
    """Return the optimizer of a config's detector, and the place of each parameter's group."""
    from mmdet.registry import MODELS

    cfg = read_config_file(path)
    model = MODELS.build(cfg.model)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = {
        names[id(parameter)]: group
        for group in wrapper.optimizer.param_groups
        for parameter in group["params"]
    }
    return wrapper, groups, cfg.optim_wrapper.optimizer.lr


def expected(name, kind):
    if not name.startswith("backbone."):
        return 1.0
    if kind == "lr01":
        return 0.1
    layer = name.split(".")[1]
    return 0.75 ** (5 - int(layer[-1]) if layer.startswith("layer") else 5)


@pytest.mark.parametrize("kind", ["lr01", "decay075"])
def test_each_parameter_has_its_rate_through_the_warm_up(configs, kind):
    wrapper, groups, base = rates_of(configs / f"mine100_{kind}.py")
    warmup = LinearLR(wrapper, start_factor=0.001, begin=0, end=11, by_epoch=False)
    layers = {name.split(".")[1] for name in groups if name.startswith("backbone.")}
    assert layers == {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4"} and len(groups) > 40
    for step in range(3):
        share = 0.001 + 0.999 * 5 * step / 10
        for name, group in groups.items():
            assert group["lr"] == pytest.approx(base * expected(name, kind) * share), name
            assert group["weight_decay"] == 1e-4
        for _ in range(5):
            wrapper.optimizer.step()
            warmup.step()


@pytest.mark.parametrize(
    "config",
    ["rtmdet/rtmdet_tiny_8xb32-300e_coco.py", "swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py"],
)
def test_the_rules_of_the_base_stay(config, tiny_data, tmp_path):
    """Such as not to decay norms, which MMEngine drops for what a key of custom_keys matches."""
    folders = dict(configs_dir=tmp_path / "configs", data_dir=tmp_path / "data")
    options = dict(base=f"mmdet::{config}", frozen=[-1], arms=["lr=0.1", "decay"], lr=1e-3)
    options |= dict(fractions=[1], pretrained="none")
    new_study(StudyOptions("mine", **tiny_data, **folders, **options))
    path = tmp_path / "configs/mine"
    _, plain, base = rates_of(path / "mine100_unfrozen.py")
    assert len({group["weight_decay"] for group in plain.values()}) == 2
    for arm, lowest, highest in (("lr01", 0.1, 0.1), ("decay075", 0.75**5, 0.75)):
        _, groups, _ = rates_of(path / f"mine100_{arm}.py")
        for name, group in groups.items():
            assert group["weight_decay"] == plain[name]["weight_decay"], name
            factor = group["lr"] / plain[name]["lr"]
            if name.startswith("backbone."):
                assert lowest - 1e-9 <= factor <= highest + 1e-9, name
            else:
                assert factor == 1, name
        assert min(group["lr"] for group in groups.values()) < base


def test_a_base_s_own_factor_of_the_backbone_is_multiplied():
    from torch import nn

    model = nn.ModuleDict(dict(backbone=nn.Linear(1, 1), head=nn.Linear(1, 1)))
    keys = dict(custom_keys=dict(backbone=dict(lr_mult=0.1)), rate_factors={"backbone.": 0.1})
    wrapper = dict(optimizer=dict(type="SGD", lr=1.0), constructor="ScaledRatesConstructor")
    built = build_optim_wrapper(model, wrapper | dict(paramwise_cfg=keys))
    rates = [group["lr"] for group in built.optimizer.param_groups]
    assert rates == pytest.approx([0.01, 0.01, 1.0, 1.0])


@pytest.mark.parametrize(
    ("arm", "reason"),
    [
        ("freeze=nek", "--arms freeze=nek: no parameter of FasterRCNN is in nek"),
        ("freeze=backbone,neck,*_head", "leave nothing to train"),
    ],
)
def test_modules_that_are_not_there_are_told_before_anything_is_written(
    arm, reason, tiny_data, tmp_path
):
    folders = dict(configs_dir=tmp_path / "configs", data_dir=tmp_path / "data")
    with pytest.raises(UserError, match=re.escape(reason)):
        new_study(
            StudyOptions("mine", **tiny_data, **folders, depth=18, pretrained="none", arms=[arm])
        )
    assert not (tmp_path / "configs").exists()


def test_frozen_modules_are_named_in_a_hook(configs):
    freeze = Config.fromfile(configs / "mine100_freeze_neck_rpn_head.py")
    assert freeze.default_hooks.freeze_modules == dict(
        type="FreezeHook", patterns=["neck", "rpn_head"]
    )
    release = Config.fromfile(configs / "mine100_release025.py")
    hook = dict(type="FreezeHook", patterns=["backbone"], until=0.25)
    assert release.default_hooks.freeze_modules == hook
    assert freeze.find_unused_parameters and release.find_unused_parameters
    assert release.study.arm == "release025"
    assert release.study.arm_does == "freezing the backbone for 25% of the schedule"
    assert release.model.backbone.frozen_stages == -1


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("rate=0.1", "takes lr=0.1"),
        ("lr=2", "from 0.0001 to below 1"),
        ("decay=x", "from 0.0001"),
        ("release=nan", "from 0.0001"),
        ("freeze", "name modules"),
        ("freeze=..", "name modules"),
    ],
)
def test_what_is_no_arm_is_refused(word, reason):
    with pytest.raises(UserError, match=reason) as refused:
        read_arms([word])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "words, name",
    [(("lr", "lr=0.10"), "lr01"), (("freeze=neck.fpn", "freeze=neck,fpn"), "freeze_neck_fpn")],
)
def test_two_arms_of_one_name_are_refused(words, name):
    with pytest.raises(UserError, match=f"{words[0]} and {words[1]} would both be {name}"):
        read_arms(words)
