# A quarter of the toy images, drawn by tools/make_subsets.py.
_base_ = "./toy100.py"

study = dict(data_amount="toy25", fraction=0.25)
train_dataloader = dict(dataset=dict(ann_file="annotations/fz/toy25.json"))
