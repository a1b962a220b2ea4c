"""The confusion matrix against MMDetection's own tool, and on made cases."""

import importlib.util
from pathlib import Path

import mmdet
import numpy as np
import pytest
import torch

import fzmm.register  # noqa: F401  the tool imports MMCV's operators, compiled or fzmm's
from fzmm.analysis.detections.confusion import confusion_matrix, shares
from fzmm.analysis.detections.ground_truth import from_coco
from fzmm.analysis.detections.matching import Detections, in_order
from tests.analysis.detections.scenes import detect, scene

TOOL = Path(mmdet.__file__).parent / ".mim/tools/analysis_tools/confusion_matrix.py"


def load_tool():
    """MMDetection's script as a module."""
    spec = importlib.util.spec_from_file_location("mmdet_confusion_matrix", TOOL)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        pytest.skip(f"MMDetection's tool cannot be imported: {error}")
    return module


def by_tool(tool, truth, detections):
    """What MMDetection's function counts, image by image."""
    count = len(truth.class_ids)
    matrix = np.zeros((count + 1, count + 1))
    ends = np.concatenate([truth.boxes[:, :2], truth.boxes[:, :2] + truth.boxes[:, 2:]], axis=1)
    found = detections.boxes.copy()
    found[:, 2:] += found[:, :2]
    for image in range(len(truth.image_ids)):
        own = np.flatnonzero((truth.images == image) & truth.loaded)
        instances = [dict(bbox=ends[i], bbox_label=int(truth.classes[i])) for i in own]
        of_image = detections.images == image
        result = dict(
            labels=torch.tensor(detections.classes[of_image]),
            bboxes=torch.tensor(found[of_image]),
            scores=torch.tensor(detections.scores[of_image]),
        )
        tool.analyze_per_img_dets(matrix, instances, result, score_thr=0.3, tp_iou_thr=0.5)
    return matrix


@pytest.mark.parametrize("seed", range(3))
def test_it_equals_mmdetections_tool(seed):
    coco = scene(seed, images=25, boxes=8, crowd=0.15)
    coco["annotations"][0]["bbox"][2:] = [0.5, 30.0]  # a box that the dataset does not load
    coco["annotations"][1]["ignore"] = 1
    coco["annotations"][2]["bbox"][:2] = [600.0, 20.0]  # outside of the image
    truth = from_coco(coco)
    detections = in_order(detect(coco, seed + 7, ties=seed == 0), truth)
    actual = confusion_matrix(detections, truth)
    assert (~truth.loaded).sum() == 3
    assert np.array_equal(actual, by_tool(load_tool(), truth, detections))
    assert np.trace(actual) > 20 and actual[-1].sum() > 5 and actual[:, -1].sum() > 5


def case(*detected):
    """A box of class 0 and one of class 1 far from it, and detections (class, x, score)."""
    coco = dict(
        images=[dict(id=7, file_name="a", width=99, height=99)],
        categories=[dict(id=2, name="two"), dict(id=1, name="one")],
        annotations=[
            dict(id=1, image_id=7, category_id=1, bbox=[0, 0, 10, 10]),
            dict(id=2, image_id=7, category_id=2, bbox=[50, 0, 10, 10]),
        ],
    )
    truth = from_coco(coco)
    detections = Detections(
        np.zeros(len(detected), dtype=int),
        np.array([one[0] for one in detected], dtype=int),
        np.array([[one[1], 0, 10, 10] for one in detected], dtype=float).reshape(-1, 4),
        np.array([one[2] for one in detected], dtype=float),
    )
    return truth, confusion_matrix(detections, truth)


def test_made_cases():
    truth, nothing = case()
    assert nothing.tolist() == [[0, 0, 1], [0, 0, 1], [0, 0, 0]]
    # labels follow the file's order, classes their ids
    assert truth.class_names == ("one", "two") and truth.labels.tolist() == [1, 0]
    # found twice; taken for the other class, and so missed as well; nothing there; score too low
    _, matrix = case((0, 0, 0.9), (0, 1, 0.3), (0, 50, 0.8), (1, 80, 0.5), (1, 50, 0.29))
    assert matrix.tolist() == [[2, 0, 0], [1, 0, 1], [0, 1, 0]]
    percent = shares(matrix)
    assert percent[1].tolist() == [50, 0, 50]
    assert np.isnan(shares(np.zeros((2, 2), dtype=int))).all()
