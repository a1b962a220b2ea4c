_base_ = "../_base_/toy25.py"

model = dict(backbone=dict(frozen_stages=4))
