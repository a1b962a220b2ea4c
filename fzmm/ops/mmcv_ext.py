"""Stands for ``mmcv._ext``, MMCV's compiled operators, where there is none.

``fzmm.ops.import_hooks`` gives this file that name. It has the two operators that the study's
detector needs, as do Cascade R-CNN and Mask R-CNN, and the two that RetinaNet, FCOS and Deformable
DETR need beside them on a GPU. On a CPU MMDetection has these in Python itself.
"""

from __future__ import annotations

import functools
from typing import NoReturn

from fzmm.errors import UserError
from fzmm.ops.deformable_attention import ms_deform_attn_backward, ms_deform_attn_forward
from fzmm.ops.focal_loss import sigmoid_focal_loss_backward, sigmoid_focal_loss_forward
from fzmm.ops.nms import nms
from fzmm.ops.roi_align import roi_align_backward, roi_align_forward
from fzmm.paths import is_clone

__all__ = [
    "ms_deform_attn_backward",
    "ms_deform_attn_forward",
    "nms",
    "roi_align_backward",
    "roi_align_forward",
    "sigmoid_focal_loss_backward",
    "sigmoid_focal_loss_forward",
]


def __getattr__(name: str):
    """Return, for any other operator, a function that says how to get it."""
    if name.startswith("_"):
        raise AttributeError(name)
    return functools.partial(_missing, name)


def get_compiler_version() -> str:
    """Return what MMCV's table of versions shows as its compiler."""
    return "none: operators of fzmm.ops"


def get_compiling_cuda_version() -> str:
    """Return what MMCV's table of versions shows as its CUDA version."""
    return "not available"


def _missing(name: str, *args, **kwargs) -> NoReturn:
    again = "install --no-deps --force-reinstall"
    by_pip = f"pip {again} --no-cache-dir --no-build-isolation onedl-mmcv"
    raise UserError(
        f"mmcv.ops needs the operator {name}, which is not installed: MMCV was installed without "
        f"compiled operators. Compile them with `{'make ops' if is_clone() else by_pip}`, or "
        f"install a prebuilt wheel with `mim {again} --only-binary onedl-mmcv onedl-mmcv`"
    )
