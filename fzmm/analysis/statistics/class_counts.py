"""How often each class occurs in the annotation files that runs were trained on."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import orjson

from fzmm.analysis.statistics.cohorts import Cohort
from fzmm.errors import UserError
from fzmm.utils.files import open_regular

_LARGE = 64_000_000  # bytes
_LARGEST = 1 << 32  # ten times COCO


@dataclass(frozen=True)
class ClassCounts:
    """Annotations of each class in the full set and its subsets.

    Attributes:
        classes: Class names, shape (classes,).
        full: Counts in the largest data amount, shape (classes,).
        full_name: Its name.
        subsets: Counts in the others by name.
    """

    classes: tuple[str, ...]
    full: np.ndarray
    full_name: str
    subsets: dict[str, np.ndarray]


def class_counts(cohort: Cohort) -> tuple[ClassCounts | None, list[str]]:
    """Count the classes of a cohort's data amounts where their files are still there.

    A file that is not the one that was trained on, by its checksum, is left out.

    Returns:
        The counts, or None without any readable file, and a line for each file left out.
    """
    by_amount: dict[str, Counter] = {}
    names: dict[int, str] = {}
    problems = []
    for amount in cohort.amounts:
        train = cohort.of(amount)[0].train
        try:
            categories, counts = _count(train.ann_file, train.sha256)
        except (OSError, UserError, ValueError, KeyError, TypeError, AttributeError) as error:
            problems.append(f"{cohort.name(amount)}: {_reason(train.ann_file, error)}")
            continue
        if names and categories != names:
            problems.append(f"{cohort.name(amount)}: its classes differ from the other files'")
            continue
        names = categories
        by_amount[cohort.name(amount)] = counts

    if not by_amount:
        return None, problems
    ids = sorted(names)
    arrays = {
        name: np.array([counts[i] for i in ids], dtype=np.int64)
        for name, counts in by_amount.items()
    }
    full_name = next(iter(arrays))  # amounts come the largest first

    full = arrays.pop(full_name)
    return ClassCounts(tuple(names[i] for i in ids), full, full_name, arrays), problems


def _count(ann_file: str | None, sha256: str | None) -> tuple[dict[int, str], Counter]:
    if ann_file is None:
        raise ValueError("its annotation file is unknown")
    with open_regular(ann_file) as file:
        data = file.read(_LARGEST)
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError("the file has changed since the runs")
    if len(data) > _LARGE:
        return _count_large(data)
    coco = orjson.loads(data)
    names = {category["id"]: str(category["name"]) for category in coco["categories"]}
    return names, Counter(annotation["category_id"] for annotation in coco["annotations"])


def _count_large(data: bytes) -> tuple[dict[int, str], Counter]:
    """Count without building the whole file, which takes ten times its size in memory."""
    start = re.search(rb'"categories"\s*:\s*(?=\[)', data)
    if start is None:
        raise KeyError("categories")
    listed = data[start.end() : start.end() + (1 << 22)].decode("utf-8", errors="ignore")
    categories, _ = json.JSONDecoder().raw_decode(listed)
    counts = Counter(re.findall(rb'"category_id"\s*:\s*(\d+)', data))
    names = {category["id"]: str(category["name"]) for category in categories}
    return names, Counter({int(key): value for key, value in counts.items()})


def _reason(ann_file: str | None, error: Exception) -> str:
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError):
        return f"{ann_file} is not here"
    if isinstance(error, json.JSONDecodeError) or not isinstance(error, ValueError):
        return f"{ann_file} is not a COCO annotation file"
    return str(error)
