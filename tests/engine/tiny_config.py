"""A Faster R-CNN of seconds; written out by the ``config`` fixture."""

_base_ = ["mmdet::_base_/models/faster-rcnn_r50_fpn.py"]
custom_imports = dict(imports=["fzmm.register"])
default_scope = "mmdet"
study = dict(dataset="tiny", data_amount="tiny100", fraction=1.0)

data_root = "@DATA@/"
classes = ("square", "bar", "dot")
model = dict(
    data_preprocessor=dict(pad_size_divisor=16),
    backbone=dict(
        depth=18,
        base_channels=16,
        frozen_stages=1,
        init_cfg=None,
        norm_cfg=dict(requires_grad=True),
    ),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=16, num_outs=4),
    rpn_head=dict(
        in_channels=16,
        feat_channels=16,
        anchor_generator=dict(scales=[4], strides=[4, 8, 16, 32]),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(
            out_channels=16, featmap_strides=[4, 8, 16], roi_layer=dict(output_size=3)
        ),
        bbox_head=dict(in_channels=16, fc_out_channels=32, num_classes=3, roi_feat_size=3),
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=32)),
        rpn_proposal=dict(nms_pre=100, max_per_img=40),
        rcnn=dict(sampler=dict(num=16)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=100, max_per_img=40), rcnn=dict(max_per_img=20)),
)
pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="Resize", scale=(64, 64), keep_ratio=True),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackDetInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(64, 64), keep_ratio=True),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(
        type="PackDetInputs",
        meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor"),
    ),
]
train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="InfiniteSampler", shuffle=True),
    batch_sampler=dict(type="ResumableAspectRatioBatchSampler"),
    dataset=dict(
        type="CocoDataset",
        data_root=data_root,
        ann_file="train.json",
        data_prefix=dict(img="train/"),
        metainfo=dict(classes=classes),
        filter_cfg=dict(filter_empty_gt=True, min_size=1),
        pipeline=pipeline,
    ),
)
val_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="CocoDataset",
        data_root=data_root,
        ann_file="val.json",
        data_prefix=dict(img="val/"),
        metainfo=dict(classes=classes),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="CocoMetric", ann_file=data_root + "val.json", metric="bbox")
test_evaluator = val_evaluator
train_cfg = dict(type="IterBasedTrainLoop", max_iters=12, val_interval=6)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=0.02, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(max_norm=5),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=5),
    dict(type="MultiStepLR", by_epoch=False, milestones=[8, 10], gamma=0.1),
]
default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=1, log_metric_by_epoch=False),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(
        type="AtomicCheckpointHook", interval=4, by_epoch=False, save_best="coco/bbox_mAP"
    ),
    sampler_seed=dict(type="DistSamplerSeedHook"),
    exact_resume=dict(type="ExactResumeHook"),
    training_time=dict(type="TrainingTimeHook"),
    train_split=dict(type="TrainSplitMetricHook", num_images=None),
    provenance=dict(type="ProvenanceHook"),
    predictions=dict(type="PredictionsHook"),
    preemption=dict(type="PreemptionHook"),
    finite_loss=dict(type="FiniteLossHook"),
    bounded_history=dict(type="BoundedHistoryHook"),
)
log_processor = dict(type="LogProcessor", window_size=1, by_epoch=False)
vis_backends = [dict(type="LocalVisBackend")]
visualizer = dict(type="DetLocalVisualizer", vis_backends=vis_backends, name="visualizer")
randomness = dict(seed=3)
env_cfg = dict(dist_cfg=dict(backend="gloo"))
