# The study in the small: digits on photographs, 128 x 128 pixels, minutes on a laptop's CPU.
# fzmm/toy/dataset.py writes the images, fzmm/toy/pretrain.py the pretrained backbone.
_base_ = ["./faster-rcnn_r50_fpn.py", "./coco_detection.py", "./schedule_381108.py", "./runtime.py"]

study = dict(dataset="toy", data_amount="toy100", fraction=1.0)

model = dict(
    backbone=dict(
        depth=18,  # the stem and four stages of ResNet-50, in basic blocks
        init_cfg=dict(type="Pretrained", checkpoint="data/toy/resnet18_digits.pth"),
    ),
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=64, num_outs=4),
    rpn_head=dict(
        in_channels=64,
        feat_channels=64,
        # digits are 18 to 60 pixels high: anchors of 16, 32, 64 and 128
        anchor_generator=dict(scales=[4], strides=[4, 8, 16, 32]),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=64, finest_scale=14),  # RoIs of 28-56 pixels: stride 8
        bbox_head=dict(in_channels=64, fc_out_channels=128, num_classes=10),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=200, max_per_img=100),
        rcnn=dict(sampler=dict(num=64)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=50)),
)

data_root = "data/toy/"
metainfo = dict(classes=tuple(f"digit {digit}" for digit in range(10)))
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="Resize", scale=(128, 128), keep_ratio=True),
    # no flip, the study's one augmentation: a mirrored digit is another sign
    dict(type="PackDetInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(128, 128), keep_ratio=True),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(
        type="PackDetInputs",
        meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor"),
    ),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file="annotations/instances_train.json",
        data_prefix=dict(img="train/"),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,  # all images are of one size: nothing is padded, no prediction changes
    num_workers=1,
    dataset=dict(
        data_root=data_root,
        metainfo=metainfo,
        ann_file="annotations/instances_val.json",
        data_prefix=dict(img="val/"),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + "annotations/instances_val.json")
test_evaluator = val_evaluator

# 300 iterations of 8 images; the decays stand where the study's do, at 16/26 and 22/26
train_cfg = dict(max_iters=300, val_interval=60)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=20),
    dict(type="MultiStepLR", by_epoch=False, begin=0, end=300, milestones=[185, 254], gamma=0.1),
]
default_hooks = dict(
    logger=dict(interval=10), checkpoint=dict(interval=60), train_split=dict(num_images=100)
)
