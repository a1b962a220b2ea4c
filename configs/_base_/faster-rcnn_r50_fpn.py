# Faster R-CNN ResNet-50 FPN with the values of torchvision's `fasterrcnn_resnet50_fpn`, which the
# study trains. configs/fz/README.md goes through each value: equal, or different and why.
_base_ = "mmdet::_base_/models/faster-rcnn_r50_fpn.py"

model = dict(
    backbone=dict(
        frozen_stages=-1,  # each scenario sets its own
        norm_cfg=dict(requires_grad=False),  # torchvision: FrozenBatchNorm2d
        norm_eval=True,
    ),
    # torchvision: kaiming_uniform_(a=1), bias 0
    neck=dict(init_cfg=dict(type="Caffe2Xavier", layer="Conv2d")),
    rpn_head=dict(
        anchor_generator=dict(type="TorchvisionAnchorGenerator"),
        loss_bbox=dict(_delete_=True, type="SmoothL1Loss", beta=1 / 9, loss_weight=1.0),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(
            # torchvision's MultiScaleRoIAlign: sampling_ratio=2, and no half-pixel shift
            roi_layer=dict(sampling_ratio=2, aligned=False),
        ),
        bbox_head=dict(
            init_cfg=[],  # PyTorch's own initialisation of nn.Linear, as in torchvision
            loss_bbox=dict(_delete_=True, type="SmoothL1Loss", beta=1 / 9, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(
        # torchvision's Matcher keeps the best anchor of a box however low its IoU
        rpn=dict(assigner=dict(type="TorchvisionMaxIoUAssigner", min_pos_iou=0.0)),
        rpn_proposal=dict(nms_pre=2000, max_per_img=2000, min_bbox_size=1e-3),
    ),
    test_cfg=dict(rpn=dict(nms_pre=1000, max_per_img=1000, min_bbox_size=1e-3)),
)
