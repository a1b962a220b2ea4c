_base_ = "../_base_/coco50.py"

model = dict(backbone=dict(frozen_stages=1))
