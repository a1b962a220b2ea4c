_base_ = "../_base_/toy100.py"

model = dict(backbone=dict(frozen_stages=2))
