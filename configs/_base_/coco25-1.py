# A quarter of the images: 29,572, variation 1 of three that share none; tools/make_subsets.py.
_base_ = "./coco100.py"

study = dict(data_amount="coco25-1", fraction=0.25)
train_dataloader = dict(dataset=dict(ann_file="annotations/fz/coco25-1.json"))
train_cfg = dict(val_interval=3_664)  # one pass: 104 evaluations, and one at the end
