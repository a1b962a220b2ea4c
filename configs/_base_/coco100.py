# The whole of COCO train2017: 118,287 images, of which 117,266 hold a box.
_base_ = ["./faster-rcnn_r50_fpn.py", "./coco_detection.py", "./schedule_381108.py", "./runtime.py"]

study = dict(dataset="coco", data_amount="coco100", fraction=1.0)
train_cfg = dict(val_interval=14_658)  # one pass: 26 evaluations
