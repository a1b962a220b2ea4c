"""The detections of the best checkpoint, kept by a training and by tools/test.py."""

import gzip
import json
import shutil

import pytest
from mmengine.config import Config
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import fzmm.register  # noqa: F401
from fzmm.engine.runner.evaluate_detector import evaluate_detector
from fzmm.predictions import FILE_NAME, read_predictions
from fzmm.utils.files import file_sha256
from tests.engine.helpers import rows
from tests.engine.hooks.conftest import LEARNING


def coco_map(ann_file, results):
    truth = COCO(str(ann_file))
    evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats


def test_the_best_checkpoints_detections_give_its_map(learned, tiny):
    work_dir = learned / "with"
    results = json.loads(gzip.decompress((work_dir / FILE_NAME).read_bytes()))
    evaluations = [row for row in rows(work_dir) if "coco/bbox_mAP" in row]
    best = max(evaluations, key=lambda row: row["coco/bbox_mAP"])
    stats = coco_map(tiny / "val.json", results)
    assert stats[0] == pytest.approx(best["coco/bbox_mAP"], abs=0.001)
    assert stats[1] == pytest.approx(best["coco/bbox_mAP_50"], abs=0.001) and stats[1] > 0.01
    # and the record leads back to the weights and the data
    record = json.loads((work_dir / "provenance.json").read_text())
    kept = record["predictions"]
    assert kept["iteration"] == best["step"]
    assert kept["sha256"] == file_sha256(work_dir / FILE_NAME)
    assert kept["checkpoint_sha256"] == file_sha256(work_dir / kept["checkpoint"])
    assert kept["val_sha256"] == file_sha256(tiny / "val.json")
    assert len(kept["image_sample"]) == kept["images"] == 8
    assert (kept["detections"], kept["scores_from"]) == (len(results), 0.0)


def test_an_older_run_gets_the_same_predictions(learned, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(learned / "with", run)
    (run / FILE_NAME).unlink()
    record = json.loads((run / "provenance.json").read_text())
    kept = record.pop("predictions")
    (run / "provenance.json").write_text(json.dumps(record))
    cfg = Config.fromfile(learned / "tiny.py")
    cfg.work_dir = str(tmp_path / "test")
    evaluate_detector(cfg, str(run / kept["checkpoint"]), save_predictions=True)
    assert (run / FILE_NAME).read_bytes() == (learned / "with" / FILE_NAME).read_bytes()
    assert json.loads((run / "provenance.json").read_text()) == {**record, "predictions": kept}


def test_two_processes_and_a_resumed_run_keep_them(config, train, tmp_path):
    lines = [*LEARNING[1:3], "train_cfg = dict(max_iters=20, val_interval=10)"]
    # one by one: images that share a batch are padded to one size, which changes predictions
    lines += ["val_dataloader = dict(batch_size=1)", "test_dataloader = val_dataloader"]
    path = config(*lines)
    train(path, "two", processes=2)
    work_dir = tmp_path / "two"
    kept = json.loads((work_dir / "provenance.json").read_text())["predictions"]
    assert kept["images"] == 8
    data = (work_dir / FILE_NAME).read_bytes()
    cfg = Config.fromfile(path)
    cfg.work_dir = str(tmp_path / "test")
    evaluate_detector(cfg, str(work_dir / kept["checkpoint"]), save_predictions=True)
    assert (work_dir / FILE_NAME).read_bytes() == data
    assert len(read_predictions(work_dir)) == kept["detections"]
    train(path, "two", "--resume")
    assert json.loads((work_dir / "provenance.json").read_text())["predictions"] == kept
