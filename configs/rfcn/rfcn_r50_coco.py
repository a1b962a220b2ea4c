# R-FCN on COCO with the study's schedule. A base for a study of it:
# python tools/new_study.py --base configs/rfcn/rfcn_r50_coco.py ...
_base_ = [
    "../_base_/rfcn_r50.py",
    "../_base_/coco_detection.py",
    "../_base_/schedule_381108.py",
    "../_base_/runtime.py",
]
