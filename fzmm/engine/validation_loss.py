"""The loss of a detector on validation batches, computed by a copy that training never sees."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from mmdet.structures.bbox import BaseBoxes, HorizontalBoxes
from mmengine.model import is_model_wrapper
from torch import nn

from fzmm.errors import UserError

_RESIZING = ("Resize", "FixScaleResize", "ResizeShortestEdge")
# What leaves every pixel where it was, counted from the upper left corner.
_IN_PLACE = ("LoadImageFromFile", "LoadAnnotations", "Pad", "PackDetInputs")


def loss_copy(model: nn.Module) -> nn.Module:
    """Return a copy of a detector that answers with its losses and draws as little as it can.

    Heads compute what they do in training; some hand out other boxes in evaluation. Dropout is off
    and norms use their running statistics, as in evaluation, so the backbone is all evaluation.
    A copy, since a loss can change more of a detector than its buffers: Dynamic R-CNN's heads count
    what they see.

    Args:
        model: The detector, or its wrapper for several processes.
    """
    model = copy.deepcopy(model.module if is_model_wrapper(model) else model)
    for name, module in model.named_modules():
        in_backbone = name.partition(".")[0] == "backbone"
        of_torch = type(module).__module__.startswith("torch.")  # attention has dropout of its own
        module.training = not (in_backbone or of_torch or _is_leaf(module))
    return model


@torch.no_grad()
def batch_losses(model: nn.Module, batch: Mapping[str, Any], rescale: bool) -> dict[str, float]:
    """Return the losses of a batch of the validation: their sum ``loss``, then each as it is named.

    Args:
        model: From :func:`loss_copy`.
        batch: As the data loader gives it, which is left as it is.
        rescale: Whether boxes and masks are in the pixels of the original image.
    """
    samples = batch["data_samples"]
    if rescale:
        samples = [_at_input_scale(sample) for sample in samples]
    preprocessor = model.data_preprocessor
    data = preprocessor({**batch, "data_samples": samples}, False)
    if getattr(preprocessor, "pad_mask", False):  # which it does in training only
        preprocessor.pad_gt_masks(data["data_samples"])
    _, losses = model.parse_losses(model(**data, mode="loss"))
    return {name: float(value) for name, value in losses.items()}


def truth_needs_rescaling(pipeline: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether a test pipeline leaves the boxes in the pixels of the original image.

    MMDetection's own load them behind ``Resize``, for the metric.

    Args:
        pipeline: The configs of its transforms, in order.

    Raises:
        UserError: If it loads no boxes, or moves the image in a way that is not known here.
    """
    kinds = [str(transform.get("type")).rpartition(".")[2] for transform in pipeline]
    unknown = [kind for kind in kinds if kind not in (*_RESIZING, *_IN_PLACE)]
    if unknown:
        raise UserError(f"where boxes are after its pipeline's {unknown[0]} is not known")
    if "LoadAnnotations" not in kinds:
        raise UserError("its pipeline loads no annotations")
    return any(kind in _RESIZING for kind in kinds[: kinds.index("LoadAnnotations")])


def first_with_and_without_boxes(dataset: Any) -> Sequence[Any]:
    """Return a sample that holds a box and one that holds none, as far as there are such."""
    first: dict[bool, int] = {}
    for index in range(len(dataset)):
        first.setdefault(bool(dataset.get_data_info(index)["instances"]), index)
        if len(first) == 2:
            break
    return [dataset[index] for index in first.values()]


def _is_leaf(module: nn.Module) -> bool:
    return not any(True for _ in module.children())


def _at_input_scale(sample: Any) -> Any:
    """Return a sample whose boxes and masks are resized as its image is."""
    sample = copy.deepcopy(sample)
    width_factor, height_factor = sample.scale_factor
    height, width = sample.ori_shape[:2]
    # not img_shape, which Pad makes larger
    size = (round(height * height_factor), round(width * width_factor))
    for instances in (sample.gt_instances, sample.ignored_instances):
        if "bboxes" in instances:
            boxes = instances.bboxes
            boxes = boxes if isinstance(boxes, BaseBoxes) else HorizontalBoxes(boxes)
            boxes.rescale_((width_factor, height_factor))
            boxes.clip_(size)
            instances.bboxes = boxes
        if "masks" in instances:
            instances.masks = instances.masks.resize(size).pad(sample.img_shape[:2])
    return sample
