"""The whole chain on real images: annotation file, subset, config, training, evaluation, report."""

import json
import re
import sys

import pytest

from .conftest import ROOT, SMALL


def metrics(done):
    """Return the last line of COCO metrics that a process printed."""
    return re.findall(r"coco/bbox_mAP: .*?coco/bbox_mAP_l: \S+", done.stdout + done.stderr)[-1]


BCCD = ROOT.parent / "shared" / "data" / "bccd"
CONFIG = """
_base_ = "{root}/configs/_base_/toy100.py"
study = dict(dataset="bccd", data_amount="bccd50", fraction=0.5)
model = dict(
    backbone=dict(frozen_stages=2),
    roi_head=dict(bbox_head=dict(num_classes=3)),
)
metainfo = dict(classes=("Platelets", "RBC", "WBC"))
data = dict(data_root="{data}/", metainfo=metainfo)
train_dataloader = dict(
    dataset=dict(ann_file="{subset}", data_prefix=dict(img="train/"), **data)
)
val_dataloader = dict(
    dataset=dict(ann_file="annotations/instances_test.json", data_prefix=dict(img="test/"), **data)
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file="{data}/annotations/instances_test.json")
test_evaluator = val_evaluator
"""


@pytest.mark.skipif(not BCCD.is_dir(), reason=f"needs the BCCD dataset in {BCCD}")
def test_real_images_from_annotations_to_report(run, mim_name, tmp_path):
    source = BCCD / "annotations" / "instances_train.json"
    cut = ("--out-dir", tmp_path / "fz", "--subset", "bccd50=0.5")
    run(sys.executable, ROOT / "tools/make_subsets.py", source, *cut)
    subset = tmp_path / "fz" / "bccd50.json"
    assert len(json.loads(subset.read_text())["images"]) == 102  # round(205 x 0.5), to even

    names = [c["name"] for c in json.loads(source.read_text())["categories"]]
    config = tmp_path / "bccd50_frozen2.py"
    config.write_text(
        CONFIG.format(root=ROOT, data=BCCD, subset=subset).replace(
            '("Platelets", "RBC", "WBC")', repr(tuple(names))
        )
    )
    options = ["--cfg-options", *SMALL]
    trained = run(sys.executable, ROOT / "tools/train.py", config, *options)
    checkpoint = tmp_path / "work_dirs" / "bccd50_frozen2" / "iter_4.pth"
    tested = run(sys.executable, ROOT / "tools/test.py", config, checkpoint, *options)
    mim = run("mim", "test", mim_name, config, "--checkpoint", checkpoint, *options)
    assert metrics(tested) == metrics(trained)
    assert metrics(mim) == metrics(trained)

    run(sys.executable, ROOT / "tools/analyze_logs.py", "report", "work_dirs", "--out", "report")
    assert "bccd50" in (tmp_path / "report" / "index.html").read_text()
    summary = json.loads((tmp_path / "report" / "summary.json").read_text())
    assert summary
