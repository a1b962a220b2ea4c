"""Everything that is known of each run: the report's last table and ``runs.csv``."""

from __future__ import annotations

from html import escape
from typing import Any

from fzmm.analysis.reading.run import Run
from fzmm.analysis.report import text
from fzmm.analysis.report.page import Links
from fzmm.analysis.report.result_tables import state
from fzmm.analysis.statistics import measures


def csv_rows(runs: list[Run]) -> list[dict[str, Any]]:
    """Return one flat row for each run; unknown values are empty."""
    rows = []
    for run in runs:
        top = measures.best(run)
        first = run.starts[0] if run.starts else {}
        rows.append(
            {
                "run": run.name,
                "folder": str(run.folder),
                "config": run.config,
                "dataset": run.dataset,
                "data_amount": run.data_amount,
                "fraction": run.fraction,
                "frozen_stages": run.frozen_stages,
                "trainable_stages": run.trainable,
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
        )
    return rows


def versions(start: dict[str, Any]) -> str | None:
    """Write a start's versions in one line."""
    known = start.get("versions")
    if not isinstance(known, dict) or not known:
        return None
    return ", ".join(f"{name} {version}" for name, version in known.items())


def runs_html(links: Links) -> str:
    """Write the table that every number of the report links to."""
    columns = [
        "",
        "run",
        "seed",
        "data",
        "best mAP",
        "last mAP",
        "training time",
        "state",
        "made by",
    ]
    head = "".join(f"<th class='left'>{name}</th>" for name in columns)
    bodies = []
    for group in links.groups:
        rows = "".join(_row(run, links) for run in group)
        bodies.append(f"<tbody id='{links.body(group)}'>{rows}</tbody>")
    return (
        f"<h2 id='runs'>Runs</h2><div class='scroll'><table class='runs'><thead><tr>{head}</tr>"
        f"</thead>{''.join(bodies)}</table></div>"
    )


def _row(run: Run, links: Links) -> str:
    top = measures.best(run)
    cells = [
        ("", f"R{links.number[id(run)]}"),
        ("wrap", _two_lines(run.config or text.UNKNOWN, str(run.folder))),
        ("", text.UNKNOWN if run.seed is None else str(run.seed)),
        ("wrap", _data(run)),
        (
            "",
            f"{text.map_(top.value)}<br><span class='soft'>at {top.iteration:,}</span>"
            if top
            else text.UNKNOWN,
        ),
        ("", text.map_(measures.last(run))),
        ("", text.seconds(measures.training_time(run))),
        ("", escape(state(run))),
        ("wrap made", _made_by(run)),
    ]
    shown = "".join(f"<td class='left {kind}'>{cell}</td>" for kind, cell in cells)
    return f"<tr id='{links.anchor(run)}'>{shown}</tr>"


def _data(run: Run) -> str:
    parts = [run.train.ann_file or "annotation file unknown"]
    if run.train.sha256:
        parts.append(f"sha256 {run.train.sha256[:12]}")
    cell = _two_lines(run.data_amount or text.UNKNOWN, ", ".join(parts))
    return f"<span title='{escape(run.train.sha256 or '')}'>{cell}</span>"


def _made_by(run: Run) -> str:
    first = run.starts[0] if run.starts else {}
    command = first.get("command")
    shown = f"<code>{escape(str(command))}</code>" if command else "command unknown"
    known = [versions(first) or "versions unknown"]
    devices = first.get("devices")
    if isinstance(devices, list) and devices:
        names = sorted({str(device) for device in devices})
        known.append(f"{len(devices)} × {', '.join(names)}")
    if first.get("git_commit"):
        dirty = " with changes" if first.get("git_dirty") else ""
        known.append(f"commit {str(first['git_commit'])[:10]}{dirty}")
    if len(run.starts) > 1:
        known.append(f"{len(run.starts)} starts")
    return f"{shown}<br><span class='soft'>{escape('; '.join(known))}</span>"


def _two_lines(first: str, second: str) -> str:
    return f"{escape(first)}<br><span class='soft'>{escape(second)}</span>"
