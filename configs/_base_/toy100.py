# The study in the small: digits on photographs, 128 x 128 pixels, minutes on a laptop's CPU.
# fzmm/toy/dataset.py writes the images.
_base_ = "./faster-rcnn_lite0_fpn.py"

study = dict(dataset="toy", data_amount="toy100", fraction=1.0)

model = dict(roi_head=dict(bbox_head=dict(num_classes=10)))

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

# 160 iterations of 8 images; the decays stand where the study's do, at 16/26 and 22/26
train_cfg = dict(max_iters=160, val_interval=40)
# without clipping the unfrozen one diverges at 0.01, and at 0.005 learns less in as many iterations
optim_wrapper = dict(optimizer=dict(lr=0.015), clip_grad=dict(max_norm=5))
param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=20),
    dict(type="MultiStepLR", by_epoch=False, begin=0, end=160, milestones=[98, 135], gamma=0.1),
]
default_hooks = dict(
    logger=dict(interval=10), checkpoint=dict(interval=40), train_split=dict(num_images=50)
)
