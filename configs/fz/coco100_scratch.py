# Random weights, everything trainable, live batch norm (thesis, section 5.6). The thesis decayed
# the rate by hand, after 49 and 57 epochs; here its rule does: see BestMetricPlateauLR.
_base_ = "../_base_/coco100.py"

model = dict(
    backbone=dict(
        frozen_stages=-1,
        init_cfg=None,
        zero_init_residual=False,  # torchvision starts the last norm of a block at 1
        norm_cfg=dict(requires_grad=True),
        norm_eval=False,
    )
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=1_001),
    dict(
        type="BestMetricPlateauLR",
        monitor="coco/bbox_mAP",
        threshold=0.03,  # relative
        window=5,  # evaluations, one an epoch
        factor=0.1,
        max_decays=2,  # the third plateau ends the training
    ),
]
# 100 epochs at most; the thesis's best was epoch 66
train_cfg = dict(max_iters=1_465_800)
default_hooks = dict(plateau_stop=dict(type="PlateauStopHook"))
