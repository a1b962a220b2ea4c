"""MMCV's operators NMS and RoIAlign, for an MMCV that was installed without compiled operators."""
