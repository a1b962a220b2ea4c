"""``runs.csv``: everything that is known of each run, one row each."""

from __future__ import annotations

import csv
import io
from typing import Any

from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics import measures
from fzmm.analysis.statistics.hardware import device_text
from fzmm.utils.terminal import printable

_FORMULA = ("=", "+", "-", "@")  # with which a spreadsheet begins a formula


def runs_csv(runs: list[Run]) -> bytes:
    """Return the file's content.

    Args:
        runs: At least one.
    """
    rows = [run_row(run) for run in runs]
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return stream.getvalue().encode("utf-8", "replace")


def run_row(run: Run) -> dict[str, Any]:
    """Return what is known of a run in one flat row; unknown values are None."""
    top = measures.best(run)
    first = run.starts[0] if run.starts else {}
    return {
        "run": run.name,
        "folder": str(run.folder),
        "config": run.config,
        "dataset": run.dataset,
        "data_amount": run.data_amount,
        "fraction": run.fraction,
        "frozen_stages": run.frozen_stages,
        "trainable_stages": run.trainable,
        "arm": run.arm,
        "rate": run.rate,
        "rate_search": run.rate_search,
        "seed": run.seed,
        "model": run.model,
        "initialisation": run.initialisation,
        "schedule": str(run.schedule),
        "metric": run.metric,
        "best": top.value if top else None,
        "best_iteration": top.iteration if top else None,
        "last": measures.last(run),
        "gap": measures.gap(run),
        "decay_gain": measures.decay_gain(run),
        "device": device_text(run),
        "training_seconds": measures.training_time(run),
        "peak_memory_mb": run.peak_memory_mb,
        "trainable_parameters": run.trainable_parameters,
        "iterations": run.log.last_step,
        "max_iterations": run.max_iterations,
        "finished": run.finished,
        "stop_reason": run.stop_reason,
        "train_ann_file": run.train.ann_file,
        "train_sha256": run.train.sha256,
        "train_images": run.train.images,
        "train_annotations": run.train.annotations,
        "val_ann_file": run.val.ann_file,
        "val_sha256": run.val.sha256,
        "starts": len(run.starts),
        "command": first.get("command"),
        "versions": versions(first),
        "notes": "; ".join(run.notes),
    }


def _cell(value: Any) -> Any:
    """Keep a text a text: spreadsheets run what begins with ``=``, terminals what has ESC."""
    if not isinstance(value, str):
        return value
    value = printable(value)
    return f"'{value}" if value[:1] in _FORMULA and not _is_number(value) else value


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def versions(start: dict[str, Any]) -> str | None:
    """Write a start's versions in one line."""
    names = start.get("versions")
    if not isinstance(names, dict) or not names:
        return None
    return ", ".join(f"{name} {version}" for name, version in names.items())
