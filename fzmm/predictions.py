"""``predictions.json.gz``, a run's detections on its validation images: its one reader and writer.

The file holds COCO's results, so that pycocotools and what reads its files can read it unpacked.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from fzmm.errors import UserError
from fzmm.utils.files import atomic_write, read_regular
from fzmm.utils.gzipped import unpack

FILE_NAME = "predictions.json.gz"
MOST_BYTES = 20_000_000
MOST_PER_IMAGE = 100  # COCO's mAP reads no more
# Tried in turn until the file is small enough; COCO's mAP hardly reads below the first.
_SCORE_LIMITS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Detections of one checkpoint on a set of images, in the order of the images.

    Attributes:
        image_ids: Of each detection, shape (n,).
        category_ids: Of each detection, as in the annotation file, shape (n,).
        boxes: x, y, width and height in pixels of the image, shape (n, 4).
        scores: In [0, 1], shape (n,).
    """

    image_ids: np.ndarray
    category_ids: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, score: float) -> Predictions:
        """Return the detections with at least this score."""
        return self[self.scores >= score]

    def __getitem__(self, chosen: Any) -> Predictions:
        return Predictions(*(getattr(self, f.name)[chosen] for f in dataclasses.fields(self)))


def write_predictions(
    folder: str | os.PathLike, predictions: Predictions, most_bytes: int = MOST_BYTES
) -> dict[str, Any]:
    """Write ``predictions.json.gz``: boxes to a hundredth of a pixel, scores to six digits.

    Args:
        folder: Work directory of the run.
        predictions: At most ``MOST_PER_IMAGE`` an image.
        most_bytes: Where the file would be larger, low scores are left out.

    Returns:
        What a record says of the file: name, checksum, detections in it, and the score from which
        on they are (0 for all).

    Raises:
        OSError: If it cannot be written.
        UserError: If it is too large even with the highest scores alone.
    """
    for limit in _SCORE_LIMITS:
        kept = predictions.above(limit)
        data = gzip.compress(_encode(kept), compresslevel=6, mtime=0)
        if len(data) <= most_bytes:
            break
    else:
        raise UserError(f"{folder}: the predictions take more than {most_bytes:,} bytes")

    with atomic_write(Path(folder, FILE_NAME), "wb") as file:
        file.write(data)
    checksum = hashlib.sha256(data).hexdigest()
    return dict(file=FILE_NAME, sha256=checksum, detections=len(kept), scores_from=limit)


def read_predictions(folder: str | os.PathLike) -> Predictions | None:
    """Return a run's kept detections, or None where it has none.

    Raises:
        UserError: If the file is damaged or holds no COCO results.
    """
    path = Path(folder, FILE_NAME)
    if not os.path.lexists(path):
        return None
    try:
        return _decode(json.loads(unpack(read_regular(path), str(path))))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise UserError(f"{path}: no COCO results ({error}); make it again") from None


def _encode(predictions: Predictions) -> bytes:
    columns = (
        predictions.image_ids.tolist(),
        predictions.category_ids.tolist(),
        predictions.boxes.astype(np.float64).round(2).tolist(),
        [float(f"{score:.6g}") for score in predictions.scores.tolist()],
    )
    records = [
        {"image_id": image, "category_id": category, "bbox": box, "score": score}
        for image, category, box, score in zip(*columns, strict=True)
    ]
    return json.dumps(records, separators=(",", ":")).encode()


def _decode(records: list[dict[str, Any]]) -> Predictions:
    predictions = Predictions(
        np.array([record["image_id"] for record in records], dtype=np.int64),
        np.array([record["category_id"] for record in records], dtype=np.int64),
        np.array([record["bbox"] for record in records], dtype=np.float64).reshape(-1, 4),
        np.array([record["score"] for record in records], dtype=np.float64),
    )
    if not np.isfinite(predictions.boxes).all() or not np.isfinite(predictions.scores).all():
        raise ValueError("a box or score is no number")
    return predictions
