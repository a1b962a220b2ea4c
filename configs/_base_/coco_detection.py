# COCO 2017 as the study trains on it. Each data amount sets its annotation file.
_base_ = "mmdet::_base_/datasets/coco_detection.py"

train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    # AspectRatioBatchSampler's batches, of which any can be computed: resuming reads nothing again
    batch_sampler=dict(
        type="ResumableAspectRatioBatchSampler",
        # torchvision's 8 groups (--aspect-ratio-group-factor 3): borders from 1:2 to 2:1
        aspect_ratios=[2 ** (third / 3) for third in range(-3, 4)],
    ),
    dataset=dict(
        # 117,266 of 118,287 images hold a box; none is left out for its size
        filter_cfg=dict(filter_empty_gt=True, min_size=0),
    ),
)
val_dataloader = dict(num_workers=4)
test_dataloader = val_dataloader

# CocoMetric's keys and numbers, computed in C++; with the AP of every class in the log
val_evaluator = dict(type="FastCocoMetric", classwise=True)
test_evaluator = val_evaluator
