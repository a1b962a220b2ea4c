# Half of the images: 59,144, drawn by tools/make_subsets.py.
_base_ = "./coco100.py"

study = dict(data_amount="coco50", fraction=0.5)
train_dataloader = dict(dataset=dict(ann_file="annotations/fz/coco50.json"))
train_cfg = dict(val_interval=7_329)  # one pass: 52 evaluations
