_base_ = "../_base_/coco25-2.py"

model = dict(backbone=dict(frozen_stages=4))
