"""How a run's own training images are evaluated: which images, with which pipeline and metric."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from fzmm.datasets.dataset_config import annotation_path, innermost_dataset
from fzmm.errors import UserError
from fzmm.utils.files import atomic_write, file_sha256


def train_split_configs(cfg: Any) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """Return the data loader and metrics that evaluate the training images of a config.

    Args:
        cfg: The run's config. Pipeline, batch size and metric are those of its validation, images
            and annotations those of its training.

    Returns:
        The data loader's config, the metrics' configs and the training annotation file's path. The
        caller sets ``ann_file`` in the first two.

    Raises:
        UserError: If training or validation are not on COCO annotation files.
    """
    train, val = (
        innermost_dataset(cfg["train_dataloader"]),
        innermost_dataset(cfg["val_dataloader"]),
    )
    loader = _plain(cfg["val_dataloader"])
    dataset = {
        key: _plain(value)
        for key, value in train.items()
        if key not in ("filter_cfg", "indices", "pipeline", "test_mode", "ann_file", "lazy_init")
    }

    dataset.update(test_mode=True, pipeline=_plain(val["pipeline"]))
    loader.update(
        dataset=dataset,
        persistent_workers=False,  # its workers should not stay beside the training's
        sampler={"type": "DefaultSampler", "shuffle": False},
    )
    loader.pop("batch_sampler", None)
    loader.pop("num_batch_per_epoch", None)

    metrics = cfg["val_evaluator"]
    metrics = [_plain(metric) for metric in (metrics if isinstance(metrics, list) else [metrics])]
    metrics = [metric for metric in metrics if "ann_file" in metric]
    if not metrics:
        raise UserError(
            "the training-split mAP needs a val_evaluator with an ann_file, as CocoMetric has"
        )

    for metric in metrics:
        metric.pop("outfile_prefix", None)
        metric.pop("classwise", None)  # a line for each class would double the log
    return loader, metrics, annotation_path(train)


def write_sample(source: str, path: str, num_images: int, seed: int) -> None:
    """Write the COCO file of a stratified sample of the images of another one.

    A file that the same call has written from the same source is left as it is.

    Args:
        source: COCO annotation file of the training.
        path: File to write; its folder is made.
        num_images: Images to choose; all, if there are not so many.
        seed: Of the choice.
    """
    import numpy as np

    from fzmm.datasets.annotation_file import AnnotationFile
    from fzmm.datasets.subsets.make_subsets import select_image_ids

    origin = {"sha256": file_sha256(source), "num_images": num_images, "seed": seed}
    if _origin(path) == origin:
        return
    file = AnnotationFile(source)
    images, annotations = file.coco["images"], file.coco["annotations"]
    chosen = {image["id"] for image in images}
    if num_images < len(images):
        chosen = set(select_image_ids(file.coco, num_images, seed))
    kept = file.cut(
        np.array([image["id"] in chosen for image in images], dtype=bool),
        np.array([each["image_id"] in chosen for each in annotations], dtype=bool),
    )

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, "wb") as target:
        target.writelines(kept)
    with atomic_write(f"{path}.origin") as target:
        json.dump(origin, target)


def _origin(path: str) -> Any:
    try:
        return json.loads(Path(f"{path}.origin").read_text()) if Path(path).exists() else None
    except (OSError, ValueError):
        return None


def _plain(value: Any) -> Any:
    """Return a deep copy of a config's value without MMEngine's lazy attribute access."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(element) for element in value)
    return copy.deepcopy(value)
