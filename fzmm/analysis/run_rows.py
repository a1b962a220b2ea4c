"""Everything that is known of each run: the report's last table and ``runs.csv``."""

from __future__ import annotations

from html import escape
from typing import Any

from fzmm.analysis import measures, text
from fzmm.analysis.page import Links
from fzmm.analysis.records import Run
from fzmm.analysis.results import state


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


def runs_html(runs: list[Run], links: Links) -> str:
    """Write the table that every number of the report links to."""
    columns = [
        "",
        "config",
        "seed",
        "data",
        "best mAP",
        "last mAP",
        "training time",
        "state",
        "checksum",
        "command and versions",
    ]
    head = "".join(f"<th class='left'>{name}</th>" for name in columns)
    rows = []
    for run in runs:
        top = measures.best(run)
        best = f"{text.map_(top.value)} at {top.iteration:,}" if top else text.UNKNOWN
        first = run.starts[0] if run.starts else {}
        command = first.get("command")
        tail = f"<code>{escape(str(command))}</code>" if command else text.UNKNOWN
        known = versions(first)
        tail += f"<br><span class='soft'>{escape(known)}</span>" if known else ""
        if len(run.starts) > 1:
            tail += f"<br><span class='soft'>{len(run.starts)} starts</span>"
        data = run.data_amount or run.train.ann_file or text.UNKNOWN
        checksum = run.train.sha256
        cells = [
            f"R{links.number[id(run)]}",
            f"{escape(run.config or text.UNKNOWN)}<br>"
            f"<span class='soft'>{escape(str(run.folder))}</span>",
            text.UNKNOWN if run.seed is None else str(run.seed),
            f"{escape(data)}<br><span class='soft'>{escape(run.train.ann_file or '')}</span>",
            best,
            text.map_(measures.last(run)),
            text.seconds(measures.training_time(run)),
            escape(state(run)),
            f"<code title='{escape(checksum)}'>{escape(checksum[:12])}</code>"
            if checksum
            else text.UNKNOWN,
            tail,
        ]
        wide = {1: " wrap", 3: " wrap", 9: " wrap"}
        shown = "".join(
            f"<td class='left{wide.get(i, '')}'>{cell}</td>" for i, cell in enumerate(cells)
        )
        rows.append(f"<tr id='{links.anchor(run)}'>{shown}</tr>")
    return (
        f"<h2 id='runs'>Runs</h2><div class='scroll'><table class='runs'><thead><tr>{head}</tr>"
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
