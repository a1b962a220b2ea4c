_base_ = "../_base_/coco100.py"

model = dict(backbone=dict(frozen_stages=0))
