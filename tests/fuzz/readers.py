"""What is asked of each reader, in a process of its own; see limits.py.

A function here is given paths and returns what JSON can hold: None where a reader refused its file
with one clear line.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

from fzmm.errors import UserError

MASKS_AND_TEXTS = ("segmentation", "keypoints", "caption")  # which one of two readers drops


def call(function, *args):
    """Return a call's result, or None if it ended with one clear line."""
    try:
        return function(*args)
    except UserError as error:
        line = str(error)
        assert line.strip() and len(line) < 2_000
        assert "\n" not in line.strip()
        return None


def annotation_file(path: str) -> bool:
    """Whether a file could be read; both readers agree, and what is cut from it is whole."""
    import numpy as np

    from fzmm.datasets.annotation_file import AnnotationFile
    from fzmm.datasets.coco import read_annotations
    from fzmm.datasets.missing_fields import fill_missing_fields
    from fzmm.datasets.subsets.make_subsets import select_image_ids

    coco, file = call(read_annotations, path), call(AnnotationFile, path)
    assert (coco is None) == (file is None)
    if coco is None:
        return False

    for annotation in coco["annotations"]:
        for key in MASKS_AND_TEXTS:
            annotation.pop(key, None)
    assert file.coco == coco
    everything = [np.ones(len(coco[key]), dtype=bool) for key in ("images", "annotations")]
    again = json.loads(b"".join(file.cut(*everything)))
    assert [image["id"] for image in again["images"]] == [image["id"] for image in coco["images"]]
    chosen = select_image_ids(coco, 2)
    assert len(set(chosen)) == min(2, len(coco["images"]))
    call(fill_missing_fields, coco, "a.json")
    return True


def data_folder(path: str) -> bool:
    """Whether a folder of data could be read; every box of it is of finite numbers."""
    from fzmm.datasets.formats.read_folder import read_folder
    from fzmm.datasets.formats.write_coco import coco_bytes

    dataset = call(read_folder, path)
    if dataset is None:
        return False
    assert all("\n" not in note for note in dataset.notes)
    for split in dataset.splits.values():
        written = json.loads(coco_bytes(split.coco))
        assert all(
            isinstance(value, (int, float)) and math.isfinite(value)
            for annotation in written["annotations"]
            for value in annotation["bbox"]
        )
    return True


def runs(folder: str) -> list[str]:
    """The folders of the runs that were read."""
    from fzmm.analysis.reading.read_runs import read_runs
    from fzmm.commands.analyze_logs import main

    notes: list[str] = []
    found = call(read_runs, [folder], notes)
    assert all("\n" not in note for note in notes)
    call(main, ["recommend", folder, "--json"])
    return [str(run.folder) for run in found]


def report(folder: str, out: str) -> None:
    """Write a report."""
    from fzmm.commands.analyze_logs import main

    call(main, ["report", folder, "--out", out])


def categories(path: str) -> list[str] | None:
    """The names of an annotation file's categories."""
    from fzmm.engine.runner.check_inputs import read_categories

    return call(read_categories, path)


def state(folder: str) -> str:
    """How a run stands, by its files."""
    from fzmm.engine.runner.checkpoints import find_resume_checkpoint
    from fzmm.provenance import read_provenance
    from fzmm.sweep.planned_run import PlannedRun
    from fzmm.sweep.run_dir.record import read_record
    from fzmm.sweep.run_dir.state import State, read_status

    status = read_status(PlannedRun(Path("configs/a/a100_frozen1.py"), 0, Path(folder)))
    assert isinstance(status.state, State)
    assert isinstance(read_record(Path(folder))["attempts"], list)
    record = read_provenance(folder)
    assert record is None or isinstance(record, dict)
    assert call(find_resume_checkpoint, folder) is None
    return status.state.name


def class_names(count: str) -> None:
    """Look for doubles among many names."""
    from fzmm.datasets.formats.folder_dataset import check_classes

    check_classes([f"class {number}" for number in range(int(count))], "data.yaml")


def takes_memory(size: str) -> bool:
    """Use so many bytes: not a reader, but a check of the limits."""
    return bool(b"1" * int(size))


def waits(seconds: str) -> None:
    """Take so long: not a reader either."""
    time.sleep(int(seconds))
