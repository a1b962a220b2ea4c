import json

import pytest

from fzmm.toy.dataset import write_toy


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
    """Twelve training and six validation images of the toy data, with polygons for masks."""
    folder = tmp_path_factory.mktemp("tiny")
    for ann_file in write_toy(folder, train=12, val=6).values():
        coco = json.loads(ann_file.read_text())
        for item in coco["annotations"]:
            x, y, w, h = item["bbox"]
            item["segmentation"] = [[x, y, x + w, y, x + w, y + h, x, y + h]]
        ann_file.write_text(json.dumps(coco))
    return dict(
        train_ann=folder / "annotations/instances_train.json",
        val_ann=folder / "annotations/instances_val.json",
        train_images=folder / "train",
        val_images=folder / "val",
    )
