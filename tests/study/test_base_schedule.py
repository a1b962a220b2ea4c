"""Detectors whose optimizer has its own schedule keep it, in proportion to a study's length."""

import pytest
from mmengine.config import Config

from fzmm.errors import UserError
from fzmm.study.base_schedule import decays_of, has_own_schedule, proportional_schedulers
from fzmm.study.new_study import new_study
from fzmm.study.study_options import StudyOptions

DETR = "mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py"  # AdamW, decay after 40 of 50


def base(optimizer="AdamW", schedulers=(), **others):
    return Config(
        dict(
            optim_wrapper=dict(optimizer=dict(type=optimizer, lr=1e-4)),
            param_scheduler=list(schedulers),
            train_cfg=dict(max_epochs=12),
            auto_scale_lr=dict(base_batch_size=16),
            **others,
        )
    )


def test_a_detr_study_decays_where_its_base_does(tiny_data, tmp_path):
    folders = dict(configs_dir=tmp_path / "configs", data_dir=tmp_path / "data")
    options = dict(base=DETR, depth=18, pretrained="none", fractions=[1, 0.5], variations=1)
    study = new_study(
        StudyOptions("mine", **tiny_data, **folders, **options, frozen=[4], gpus=1, epochs=50)
    )
    for path in study.configs.runs:
        cfg = Config.fromfile(path)
        (scheduler,) = cfg.param_scheduler
        length = cfg.train_cfg.max_iters
        assert (scheduler.type, scheduler.by_epoch, scheduler.gamma) == ("MultiStepLR", False, 0.1)
        assert scheduler.milestones == [round(0.8 * length)] and scheduler.end == length
    assert all(one.milestones == (round(0.8 * length),) for one in study.configs.schedules.values())


def test_warm_up_and_cosine_keep_their_shares():
    cfg = base(
        schedulers=[
            dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=1000),
            dict(type="CosineAnnealingLR", begin=6, end=12, T_max=6, convert_to_iter_based=True),
        ]
    )
    warmup, cosine = proportional_schedulers(cfg, max_iters=1200, lr=1e-4)
    # 12 epochs of 117,266 // 16 iterations
    assert warmup["end"] == round(1000 * 1200 / (12 * 7329)) and warmup["start_factor"] == 0.001
    assert (cosine["begin"], cosine["end"], cosine["T_max"]) == (600, 1200, 600)
    assert not cosine["by_epoch"] and "convert_to_iter_based" not in cosine
    assert decays_of([warmup, cosine]) == ()


def test_the_lowest_rate_keeps_its_share_of_each_parameter_s():
    cosine = dict(type="CosineAnnealingLR", eta_min=5e-6, begin=0, end=12, T_max=12)
    poly = dict(type="PolyLR", eta_min=5e-6, begin=0, end=12)
    cosine, poly = proportional_schedulers(base(schedulers=[cosine, poly]), 1200, lr=2e-4)
    assert "eta_min" not in cosine and cosine["eta_min_ratio"] == pytest.approx(0.05)
    assert poly["eta_min"] == pytest.approx(1e-5)


def test_sgd_takes_the_studys_schedule():
    step = dict(type="MultiStepLR", milestones=[8, 11])
    assert not has_own_schedule(base("SGD", [step])) and has_own_schedule(base("AdamW", [step]))


def test_a_base_that_does_not_say_its_length_is_refused():
    cfg = base(schedulers=[dict(type="LinearLR", by_epoch=False, end=1000)])
    cfg.train_cfg = dict()
    with pytest.raises(UserError, match="does not say how long"):
        proportional_schedulers(cfg, 1200, 1e-4)
