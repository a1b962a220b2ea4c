"""A study of any backbone: one of the table, or the user's own, with the stages that it knows."""

import os
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config

from fzmm.detector_config.backbones import BACKBONES
from fzmm.detector_config.freezing import build_backbone
from fzmm.errors import UserError
from fzmm.paths import ROOT
from fzmm.scenarios import trainable_stages
from fzmm.study.new_study import new_study
from fzmm.study.study_options import StudyOptions

OWN_BACKBONE = '''
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import nn

@MODELS.register_module()
class Pyramid(BaseModule):
    """Four convolutions; frozen_stages counts in pairs, and 0 is nothing."""

    def __init__(self, frozen_stages=0, init_cfg=None):
        super().__init__(init_cfg)
        if not 0 <= frozen_stages <= 2:
            raise ValueError(frozen_stages)
        widths = [3, 24, 40, 112, 320]
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, 4 if i == 0 else 2, 1)
            for i, (a, b) in enumerate(zip(widths, widths[1:]))
        )
        for conv in self.convs[: 2 * frozen_stages]:
            conv.requires_grad_(False)

    def forward(self, x):
        maps = []
        for conv in self.convs:
            x = conv(x)
            maps.append(x)
        return maps
'''
BASE = """
_base_ = {toy!r}
custom_imports = dict(imports=["own_backbone", "fzmm.register"], allow_failed_imports=False)
model = dict(backbone=dict(_delete_=True, type="Pyramid", frozen_stages=0))
"""
BUILD = """
import sys
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
register_all_modules()
cfg = Config.fromfile(sys.argv[1])
model = MODELS.build(cfg.model)
print(sum(p.requires_grad for p in model.backbone.parameters()))
"""


def make(data, folder, **options):
    folders = dict(configs_dir=folder / "configs", data_dir=folder / "subsets")
    options = dict(fractions=[1], gpus=1, scale=(96, 96), **options)
    return new_study(StudyOptions("own", **data, **folders, **options))


def test_a_backbone_of_the_users_own_is_there_in_every_run(tiny_data, tmp_path, monkeypatch):
    (tmp_path / "own_backbone.py").write_text(OWN_BACKBONE)
    base = tmp_path / "base.py"
    base.write_text(BASE.format(toy=str(ROOT / "configs/toy/toy100_unfrozen.py")))
    monkeypatch.syspath_prepend(tmp_path)
    study = make(tiny_data, tmp_path, base=str(base))

    names = [path.stem for path in study.configs.runs]
    assert names == ["own100_unfrozen", "own100_frozen1", "own100_frozen2"]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    for path, stages, trained in zip(study.configs.runs, (2, 1, 0), (8, 4, 0), strict=True):
        cfg = Config.fromfile(path, import_custom_modules=False)
        assert cfg.study.stages == 2 and cfg.study.trainable_stages == stages
        assert trainable_stages(cfg.model.backbone.frozen_stages, cfg.study) == stages
        command = [sys.executable, "-c", BUILD, path]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split()[-1] == str(trained)


def test_a_backbone_of_the_table_brings_weights_widths_and_normalisation(tiny_data, tmp_path):
    base = str(ROOT / "configs/fz/coco100_unfrozen.py")
    study = make(tiny_data, tmp_path, base=base, backbone="efficientnet-lite0", frozen=[-1, 4])
    cfg = Config.fromfile(study.configs.runs[1])
    assert cfg.model.backbone.type == "EfficientNetLite0"
    assert cfg.model.backbone.frozen_stages == 4
    assert cfg.model.backbone.init_cfg.checkpoint == "efficientnet-lite0://imagenet"
    assert cfg.model.neck.in_channels == [24, 40, 112, 320]
    assert cfg.model.neck.out_channels == 256
    assert cfg.model.data_preprocessor.mean == [127.0] * 3
    assert cfg.study == dict(dataset="own", data_amount="own100", fraction=1)  # as a ResNet


def test_other_weights_of_a_backbone_of_the_table(tiny_data, tmp_path):
    options = dict(backbone="efficientnet-lite0", frozen=[4])
    study = make(tiny_data, tmp_path, pretrained="none", **options)
    assert Config.fromfile(study.configs.runs[0]).model.backbone.init_cfg is None


@pytest.mark.parametrize("which", [dict(backbone="efficientnet-lite0"), dict(depth=18)])
def test_random_weights_have_live_batch_norms(tiny_data, tmp_path, which):
    study = make(tiny_data, tmp_path, pretrained="none", frozen=[-1], **which)
    cfg = Config.fromfile(study.configs.runs[0])
    backbone = build_backbone({**cfg.model.backbone, "frozen_stages": -1}, on_meta=False)
    norms = [m for m in backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    backbone.train()
    backbone(torch.rand(2, 3, 64, 64))
    assert norms and all(norm.running_mean.abs().sum() > 0 for norm in norms)
    assert all(norm.weight.requires_grad and norm.bias.requires_grad for norm in norms)
    assert {spec.config.get("norm_eval", True) for spec in BACKBONES.values()} == {True}
    norms = [spec.config["norm_cfg"] for spec in BACKBONES.values() if "norm_cfg" in spec.config]
    assert {norm["requires_grad"] for norm in norms} == {False}  # the table's stay constant


def test_the_backbones_numbers_are_named_where_one_is_not_among_them(tiny_data, tmp_path):
    with pytest.raises(UserError, match=r"--frozen 7: EfficientNetLite0 takes -1 \(5 trainable\)"):
        make(tiny_data, tmp_path, backbone="efficientnet-lite0", frozen=[7])


def test_depth_and_backbone_exclude_each_other(tiny_data):
    with pytest.raises(UserError, match="--depth: with --backbone"):
        StudyOptions("own", **tiny_data, backbone="efficientnet-lite0", depth=18)
