_base_ = "../_base_/coco25-1.py"

model = dict(backbone=dict(frozen_stages=2))
