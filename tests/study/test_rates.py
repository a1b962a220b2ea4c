"""Learning rates as a factor of a study: its configs, and the rates that optimizers have."""

import io

import pytest
from mmengine.config import Config
from rich.console import Console

from fzmm.commands.new_study import print_next, print_plan
from fzmm.errors import UserError
from fzmm.study.new_study import new_study
from fzmm.study.rates import at_rate, read_rates
from fzmm.study.study_options import StudyOptions
from fzmm.utils.config_file import read_config_file

RATES = [0.02, 0.005]


def make(tiny_data, folder, lr, **options):
    folders = dict(configs_dir=folder / "configs", data_dir=folder / "data")
    options = dict(fractions=[1], frozen=[-1, 2], depth=18, pretrained="none", lr=lr, **options)
    return new_study(StudyOptions("mine", **tiny_data, **folders, **options))


@pytest.fixture(scope="module")
def study(tiny_data, tmp_path_factory):
    """A study of two rates, two scenarios and an arm."""
    return make(tiny_data, tmp_path_factory.mktemp("study"), RATES, arms=["lr=0.1"])


def test_every_scenario_has_a_config_at_each_rate(study):
    assert [path.stem for path in study.configs.runs] == [
        f"mine100_{name}_{rate}"
        for name in ("unfrozen", "frozen2", "lr01")
        for rate in ("rate0005", "rate002")
    ]
    first = study.configs.runs[0]
    for path in study.configs.runs:
        cfg, rate = Config.fromfile(path), 0.005 if "0005" in path.stem else 0.02
        assert cfg.optim_wrapper.optimizer.lr == rate == cfg.study.rate
        assert cfg.optim_wrapper.optimizer.momentum == 0.9 and cfg.study.data_amount == "mine100"
        assert cfg.param_scheduler == Config.fromfile(first).param_scheduler
        assert cfg.model.backbone.frozen_stages == (2 if "frozen2" in path.stem else -1)
        assert cfg.study.get("arm") == ("lr01" if "lr01" in path.stem else None)

    console = Console(width=150, file=io.StringIO())
    print_plan(study, console)
    print_next(study, console)
    printed = console.file.getvalue()
    assert "learning rate 0.005, 0.02," in printed and "--until-decided" in printed
    assert "6 configs, 3 scenarios at 2 rates" in printed
    base = " ".join((first.parent / "_base_/mine100.py").read_text().split())
    assert "--lr 0.02 0.005" in base.replace("# ", "")


def test_an_arm_multiplies_each_of_the_rates(study):
    from mmdet.registry import MODELS
    from mmengine.optim import build_optim_wrapper

    path = next(path for path in study.configs.runs if path.stem.endswith("lr01_rate002"))
    cfg = read_config_file(path)
    model = MODELS.build(cfg.model)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for group in wrapper.optimizer.param_groups:
        for parameter in group["params"]:
            factor = 0.1 if names[id(parameter)].startswith("backbone.") else 1
            assert group["lr"] == pytest.approx(0.02 * factor)


@pytest.mark.parametrize("lr", [0.02, [0.02]])
def test_one_rate_is_no_factor(tiny_data, tmp_path, lr):
    one = make(tiny_data, tmp_path, lr)
    assert [path.stem for path in one.configs.runs] == ["mine100_unfrozen", "mine100_frozen2"]
    cfg = Config.fromfile(one.configs.runs[0])
    assert cfg.optim_wrapper.optimizer.lr == 0.02 and "rate" not in cfg.study
    assert one.configs.rates == []


def test_a_floor_of_the_rate_keeps_its_share():
    poly = dict(type="PolyLR", eta_min=1e-5, end=100)
    parts = dict(at_rate([("study", dict(arm="x"))], 1e-3, [poly], made_for=1e-4))
    assert parts["study"] == dict(arm="x", rate=1e-3)
    assert parts["param_scheduler"][0]["eta_min"] == pytest.approx(1e-4)
    assert "param_scheduler" not in dict(at_rate([], 1e-3, [dict(type="MultiStepLR")], 1e-4))


@pytest.mark.parametrize(
    ("rates", "reason"),
    [
        ([0.01, 0], "--lr 0: a number above 0"),
        ([0.01, float("nan")], "--lr nan"),
        ([0.01, 0.010], "--lr 0.01: given twice"),
        ([15, 1.5], "--lr 15: given twice, or another rate has its name, rate15"),
    ],
)
def test_what_is_no_rate_is_refused(rates, reason):
    with pytest.raises(UserError, match=reason):
        read_rates(rates)
    assert read_rates([1e-7, 10]) == [1e-7, 10]
