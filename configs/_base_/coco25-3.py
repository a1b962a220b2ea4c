# A quarter of the images: 29,572, variation 3 of three that share none; tools/make_subsets.py.
_base_ = "./coco100.py"

study = dict(data_amount="coco25-3", fraction=0.25)
train_dataloader = dict(dataset=dict(ann_file="annotations/fz/coco25-3.json"))
# One pass is 3,664.5 iterations: 104 evaluations, the last of them at the end, not 52 before it.
train_cfg = dict(val_interval=3_664, dynamic_intervals=[(377_394, 381_108)])
