import json

import numpy as np
import pytest

from fzmm.datasets.subsets.strata import count_strata, tabulate


def coco_of(boxes: list[dict], num_images: int = 3) -> dict:
    images = [
        {"id": index, "file_name": f"{index}.jpg", "width": 100, "height": 80}
        for index in range(num_images)
    ]
    annotations = [
        {"id": index, "image_id": 0, "category_id": 1, "iscrowd": 0, **box}
        for index, box in enumerate(boxes)
    ]
    categories = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def counts(coco: dict, **options) -> dict[tuple[str, str], int]:
    strata = count_strata(tabulate(coco), **options)
    return dict(zip(zip(strata.kinds, strata.names, strict=True), strata.totals, strict=True))


def test_area_ranges_begin_at_cocos_limits():
    areas = [1023.99, 1024, 9215.99, 9216]
    coco = coco_of([{"bbox": [0, 0, 90, 70], "area": area} for area in areas])
    found = counts(coco)
    assert found["area", "a, small"] == 1
    assert found["area", "a, medium"] == 2
    assert found["area", "a, large"] == 1


def test_an_absent_area_is_that_of_the_box():
    assert counts(coco_of([{"bbox": [0, 0, 32, 32]}]))["area", "a, medium"] == 1


def test_images_without_annotation_and_without_usable_box_are_told_apart():
    coco = coco_of([{"bbox": [0, 0, 0, 5], "area": 0}, {"bbox": [0, 0, 9, 9], "image_id": 1}])
    found = counts(coco)
    assert found["empty", "images without annotation"] == 1
    assert found["background", "images without usable box"] == 1
    assert found["degenerate", "degenerate boxes"] == 1


def test_crowd_annotations_are_counted_in_all_and_by_class():
    box = {"bbox": [0, 0, 9, 9], "area": 81}
    coco = coco_of([{**box, "iscrowd": 1}, {**box, "category_id": 2, "iscrowd": 1}, box])
    found = counts(coco)
    assert found["crowd", "crowd annotations"] == 2
    assert found["class crowd", "b, crowd"] == 1
    assert found["class", "a"] == 2


def test_stratify_chooses_what_is_counted():
    coco = coco_of([{"bbox": [0, 0, 9, 9], "area": 81, "iscrowd": 1}])
    kinds = {kind for kind, _ in counts(coco, stratify=["classes"])}
    assert kinds == {"total", "class"}
    kinds = {kind for kind, _ in counts(coco, stratify=["crowd", "empty"])}
    assert kinds == {"total", "crowd", "empty"}


def test_degenerate_boxes_are_those_that_mmdetection_skips(tmp_path):
    coco_dataset = pytest.importorskip("mmdet.datasets").CocoDataset
    boxes = [
        {"bbox": [0, 0, 1, 1], "area": 1},
        {"bbox": [0, 0, 0.99, 50], "area": 49},
        {"bbox": [0, 0, 50, 0.5], "area": 25},
        {"bbox": [5, 5, 20, 20], "area": 0},
        {"bbox": [5, 5, 20, 20], "area": -3},
        {"bbox": [100, 0, 20, 20], "area": 400},
        {"bbox": [99, 79, 20, 20], "area": 400},
        {"bbox": [-20, 0, 20, 20], "area": 400},
        {"bbox": [-19, -19, 20, 20], "area": 400},
        {"bbox": [5, 5, 20, 20], "area": 400, "ignore": 1},
        {"bbox": [5, 5, 20, 20], "area": 400, "iscrowd": 1},
        {"bbox": [5, 5, 0, 0], "area": 400, "image_id": 1},
    ]
    coco = coco_of(boxes)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(coco))
    dataset = coco_dataset(
        ann_file=str(path),
        metainfo={"classes": ("a", "b")},
        data_prefix={"img": ""},
        filter_cfg={"filter_empty_gt": True},
        pipeline=[],
        serialize_data=False,
    )
    dataset.full_init()
    table = tabulate(coco)
    usable = np.bincount(table.image[~table.degenerate], minlength=3)
    # Image 1 has only a degenerate box and is trained as background; image 2 has none and is not.
    assert [item["img_id"] for item in dataset.data_list] == [0, 1]
    assert [len(item["instances"]) for item in dataset.data_list] == usable[:2].tolist()
    assert counts(coco)["background", "images without usable box"] == 1
    assert counts(coco)["empty", "images without annotation"] == 1
