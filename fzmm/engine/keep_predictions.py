"""Writing a checkpoint's detections beside it, and what the run's record says of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fzmm.evaluation.kept_predictions import KeptPredictions, as_predictions
from fzmm.predictions import MOST_PER_IMAGE, write_predictions
from fzmm.utils.files import file_sha256

_ITERATION = re.compile(r"iter_([0-9]{1,18})\.pth$")


def keep_predictions(
    folder: str, metric: KeptPredictions, dataset: Any, checkpoint: str | None, val: Any
) -> dict[str, Any]:
    """Write the latest evaluation's detections; return the record's entry of them.

    Args:
        folder: Work directory of the run.
        metric: Took part in the evaluation.
        dataset: The validation's, with ``cat_ids``.
        checkpoint: File whose weights were evaluated, where there is one.
        val: The record's entry of the validation data, with the checksums of annotations and
            images; None where it is not known.
    """
    predictions = as_predictions(metric.latest, category_ids(dataset))
    entry = write_predictions(folder, predictions)
    if checkpoint is not None:
        iteration = _ITERATION.search(checkpoint)
        entry["checkpoint"] = Path(checkpoint).name
        entry["checkpoint_sha256"] = file_sha256(checkpoint)
        entry["iteration"] = int(iteration[1]) if iteration else None
    entry.update(images=len(metric.latest), most_per_image=MOST_PER_IMAGE)
    val = val or {}
    entry.update(val_sha256=val.get("sha256"), image_sample=val.get("image_sample"))
    return entry


def category_ids(dataset: Any) -> list[int] | None:
    """Return the annotation file's id of each label, or None for data that is not COCO's."""
    while dataset is not None and not hasattr(dataset, "cat_ids"):
        dataset = getattr(dataset, "dataset", None)
    return list(dataset.cat_ids) if dataset is not None else None


def words(entry: dict[str, Any]) -> str:
    """Return the line that tells of kept predictions."""
    left_out = ""
    if entry["scores_from"]:
        left_out = f", scores from {entry['scores_from']:g}: all would take more than 20 MB"
    images, detections = entry["images"], entry["detections"]
    return f"kept {detections:,} detections on {images:,} validation images{left_out}"
