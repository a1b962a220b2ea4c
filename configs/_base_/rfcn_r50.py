# R-FCN on ResNet-50, after section 2 and 3 of the paper (https://arxiv.org/abs/1605.06409); box
# coder, losses, assigners and NMS are MMDetection's for Faster R-CNN.
_base_ = "mmdet::_base_/models/faster-rcnn_r50_fpn.py"

model = dict(
    type="RFCN",
    backbone=dict(
        # conv5 keeps stride 16, and its convolutions are dilated ("a trous")
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        out_indices=(2, 3),
        frozen_stages=-1,  # each scenario sets its own
        norm_cfg=dict(requires_grad=False),
        norm_eval=True,
    ),
    neck=None,
    rpn_head=dict(
        type="FirstMapRPNHead",
        in_channels=1024,
        feat_channels=512,
        # Faster R-CNN's three scales, and 32 and 64 pixels for COCO's small objects
        anchor_generator=dict(scales=[2, 4, 8, 16, 32], strides=[16]),
    ),
    roi_head=dict(
        _delete_=True,
        type="RFCNRoIHead",
        bbox_head=dict(
            type="RFCNBBoxHead",
            in_channels=2048,
            feat_channels=1024,
            bins=7,
            stride=16,
            num_classes=80,
            bbox_coder=dict(
                type="DeltaXYWHBBoxCoder",
                target_means=[0.0, 0.0, 0.0, 0.0],
                target_stds=[0.1, 0.1, 0.2, 0.2],
            ),
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
            loss_bbox=dict(type="SmoothL1Loss", beta=1.0, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=6000, max_per_img=300),
        rcnn=dict(sampler=dict(num=128)),  # B = 128 RoIs of an image
    ),
    test_cfg=dict(rpn=dict(nms_pre=6000, max_per_img=300)),
)
