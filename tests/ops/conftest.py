"""What the operators are compared with: MMCV's compiled ones, or loops written out plainly."""

import importlib
import math

import numpy as np
import pytest
import torch


def compiled_operators():
    """Return MMCV's compiled operators, None where it was installed without."""
    module = importlib.import_module("mmcv._ext")
    return None if module.__file__.endswith(".py") else module


def loop_nms(boxes, scores, iou_threshold, offset=0):
    """NMS pair by pair in single precision, as MMCV's kernel."""
    boxes, offset = boxes.numpy(), np.float32(offset)
    threshold = np.float32(iou_threshold)
    kept = []
    with np.errstate(invalid="ignore"):
        area = (boxes[:, 2] - boxes[:, 0] + offset) * (boxes[:, 3] - boxes[:, 1] + offset)
        for i in scores.sort(0, descending=True)[1].tolist():
            for k in kept:
                low = np.maximum(boxes[i, :2], boxes[k, :2])
                extent = np.maximum(np.minimum(boxes[i, 2:], boxes[k, 2:]) - low + offset, 0)
                inter = extent[0] * extent[1]
                if inter / (area[k] + area[i] - inter) > threshold:
                    break
            else:
                kept.append(i)
    return torch.tensor(kept, dtype=torch.long)


def loop_roi_align(features, rois, output_size, scale, ratio, aligned, mode="avg"):
    """RoIAlign point by point, differentiable."""
    out = torch.zeros(len(rois), features.shape[1], *output_size)
    shift = 0.5 if aligned else 0.0
    for k, (image, *box) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (value * scale - shift for value in box)
        width, height = x2 - x1, y2 - y1
        if not aligned:
            width, height = max(width, 1.0), max(height, 1.0)
        step_y, step_x = height / output_size[0], width / output_size[1]
        points_y = ratio or math.ceil(step_y)
        points_x = ratio or math.ceil(step_x)
        for i in range(output_size[0]):
            for j in range(output_size[1]):
                values = [
                    bilinear(
                        features[int(image)],
                        y1 + i * step_y + (a + 0.5) * step_y / points_y,
                        x1 + j * step_x + (b + 0.5) * step_x / points_x,
                    )
                    for a in range(points_y)
                    for b in range(points_x)
                ]
                if values:
                    values = torch.stack(values)
                    out[k, :, i, j] = values.mean(0) if mode == "avg" else values.max(0)[0]
    return out


def bilinear(features, y, x):
    """Return the features of one point, zeros outside."""
    _, height, width = features.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return features.new_zeros(len(features))
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    dy, dx = y - top, x - left
    upper = features[:, top, left] * (1 - dx) + features[:, top, right] * dx
    lower = features[:, bottom, left] * (1 - dx) + features[:, bottom, right] * dx
    return upper * (1 - dy) + lower * dy


@pytest.fixture(params=["compiled", "loop"])
def reference(request):
    """Return the compiled operators, or None for the loops above."""
    if request.param == "loop":
        return None
    return compiled_operators() or pytest.skip("MMCV has no compiled operators here")
