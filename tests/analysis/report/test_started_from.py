"""Runs that start from a whole detector: what the page and the summary say of it."""

import json

import pytest

from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.report.write_report import write_report
from tests.analysis import synthetic

EVALUATIONS = ([100_000, 200_000], [0.2, 0.3], [0.2, 0.4])
LOADED = {
    "checkpoint": "detectors/<b>cells</b>.pth",
    "sha256": "ab" * 32,
    "loaded_tensors": 293,
    "tensors": 297,
    "loaded_numbers": 41_348_123,
    "other_shape": {
        "roi_head.bbox_head.fc_cls.weight": [[81, 1024], [7, 1024]],
        "<script>": [[2], [3]],
    },
    "only_in_checkpoint": {"roi_head.mask_head": 12},
    "only_in_detector": {},
}


def runs(root, loaded):
    for trainable in (3, 5):
        folder = synthetic.write_run(root, "coco100", trainable, evaluations=EVALUATIONS)
        path = folder / "provenance.json"
        record = json.loads(path.read_text())
        record.update(loaded=loaded, initialisation="detectors/coco.pth (sha256 abababab)")
        path.write_text(json.dumps(record))
    return root


def page_of(root, loaded):
    page = write_report(runs(root / "runs", loaded), root / "out").read_text()
    summary = json.loads((root / "out/summary.json").read_text())
    return page, summary["cohorts"][0]["starts_from"]


def test_the_page_says_what_was_loaded_and_what_was_not(tmp_path):
    page, summary = page_of(tmp_path, LOADED)
    assert "from detectors/coco.pth (sha256 abababab)" in page
    assert "detectors/&lt;b&gt;cells&lt;/b&gt;.pth</code>" in page and "<b>cells" not in page
    assert "sha256 is abababababab" in page
    assert "293 of this detector’s 297 tensors were loaded</summary>" in page
    assert "Loaded: 41,348,123 numbers." in page
    assert "fc_cls.weight</code> (81 × 1024 in the checkpoint, 7 × 1024 here)" in page
    assert "&lt;script&gt;</code> (2 in the checkpoint, 3 here)." in page
    assert "no such part: <code>roi_head.mask_head</code> (12 tensors)." in page
    assert summary["sha256"] == LOADED["sha256"] and summary["loaded"] == 293
    assert summary["unused"] == [["roi_head.mask_head", 12]]


MALFORMED = {
    "checkpoint": "a.pth",
    "other_shape": {"x": 1, "y": [None, [2**70, "z"]]},
    "tensors": "9",
    "only_in_checkpoint": {"z": -1},
}


def test_a_malformed_record_is_shown_as_far_as_it_goes(tmp_path):
    page, summary = page_of(tmp_path, MALFORMED)
    assert "detector <code>a.pth</code></summary>" in page
    assert "<code>y</code> (unknown in the checkpoint, unknown here)" in page
    assert summary["tensors"] is None and summary["unused"] == []


@pytest.mark.parametrize("loaded", [None, [], {"checkpoint": 3}, {"checkpoint": ""}])
def test_what_is_no_record_is_none(loaded, tmp_path):
    assert [run.loaded for run in read_runs(runs(tmp_path, loaded))] == [None, None]
