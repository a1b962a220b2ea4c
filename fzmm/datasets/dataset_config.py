"""What the config of a data loader says about its annotation file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from fzmm.errors import UserError


def innermost_dataset(loader: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the dataset config of a data loader that names an annotation file.

    Wrappers that hold one dataset (``RepeatDataset``, ``ClassBalancedDataset``,
    ``MultiImageMixDataset``) are looked into.

    Raises:
        UserError: If there is none, or several are put together.
    """
    dataset = loader["dataset"]
    while "ann_file" not in dataset and isinstance(dataset.get("dataset"), Mapping):
        dataset = dataset["dataset"]
    if "ann_file" not in dataset:
        raise UserError(
            f"a dataset of type {dataset.get('type')} names no annotation file of its own; give "
            "one COCO file (several can be put together into one)"
        )
    return dataset


def annotation_path(dataset: Mapping[str, Any]) -> str:
    """Return the path of a dataset config's annotation file, as MMEngine joins it."""
    return os.path.join(dataset.get("data_root") or "", dataset["ann_file"])


def image_folder(dataset: Mapping[str, Any]) -> str:
    """Return the folder of a dataset config's images, as MMEngine joins it."""
    prefix = dataset.get("data_prefix") or {}
    return os.path.join(dataset.get("data_root") or "", prefix.get("img") or "")
