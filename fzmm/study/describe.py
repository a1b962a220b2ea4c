"""What tools/new_study.py prints: the data, the schedule, the cost and the next commands."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fzmm.detector_config.detector import train_scale
from fzmm.detector_config.step_time import StepTime, interpolate, quiet, time_steps
from fzmm.durations import duration
from fzmm.study.new_study import Study

MAX_CLASSES_SHOWN = 12


def print_study(study: Study, console: Console | None = None) -> None:
    """Print what was found in the data and what was written."""
    console = console or Console(highlight=False, soft_wrap=True)
    report = study.report
    for name, split in (("training", report.train), ("validation", report.val)):
        images = len(split.coco["images"])
        empty = images - split.images_with_boxes
        console.print(
            f"{name + ':':12}{images:,} images ({empty:,} without a box), "
            f"{len(split.boxes):,} boxes, {len(split.boxes) / images:.1f} an image"
        )
    console.print(f"{'images:':12}{report.size[0]} x {report.size[1]} pixels (median); all open")
    leaks = any("are in training too" in note for note in report.notes)
    found = "see below" if leaks else "no validation image is in training, by name or by content"
    console.print(f"{'leaks:':12}{found}")
    counts = report.class_counts()
    table = Table("class", box=None, pad_edge=False, header_style="bold")
    for column in ("training", "validation", "share"):
        table.add_column(column, justify="right")
    total = sum(row[1] for row in counts) or 1
    for name, in_train, in_val in counts[:MAX_CLASSES_SHOWN]:
        table.add_row(name, f"{in_train:,}", f"{in_val:,}", f"{100 * in_train / total:.1f}%")
    console.print(table)
    if len(counts) > MAX_CLASSES_SHOWN:
        console.print(f"and {len(counts) - MAX_CLASSES_SHOWN} rarer classes")
    for note in [*report.notes, *study.configs.notes]:
        console.print(f"note: {note}", markup=False)
    console.print()
    for name, plan in study.configs.schedules.items():
        decays = " and ".join(f"{value:,}" for value in plan.milestones)
        console.print(
            f"{name + ':':12}{plan.max_iters:,} iterations, learning rate {plan.lr:g}, "
            f"decays after {decays}, {plan.evaluations} evaluations"
        )


def print_cost(study: Study, steps: int = 2, console: Console | None = None) -> None:
    """Time a few steps of the least and the most frozen scenario and print what the study costs."""
    from mmengine.config import Config

    console = console or Console(highlight=False, soft_wrap=True)
    runs = study.configs.runs
    with quiet():
        cfg = Config.fromfile(runs[0])
        scenarios = {run: Config.fromfile(run, import_custom_modules=False) for run in runs}
    frozen = {run: item.model.backbone.frozen_stages for run, item in scenarios.items()}
    values = set(frozen.values())
    with console.status("timing a few training steps"):
        measured: dict[int, StepTime] = time_steps(cfg, sorted({min(values), max(values)}), steps)
    seconds = {
        run: interpolate(measured, frozen[run]) * scenarios[run].train_cfg.max_iters for run in runs
    }
    width, height = train_scale(cfg)
    device = next(iter(measured.values())).device
    times = ", ".join(f"{time.seconds:.3g} s at {value}" for value, time in measured.items())
    console.print(
        f"cost:       {len(runs)} runs, {duration(sum(seconds.values()))} in all, "
        f"{duration(min(seconds.values()))} to {duration(max(seconds.values()))} each; validation "
        f"comes on top\n            ({steps} timed steps on this {device}, "
        f"{cfg.train_dataloader.batch_size} images of up to {width} x {height}; by frozen_stages: "
        f"{times})"
    )


def print_next(study: Study, console: Console | None = None) -> None:
    """Print the commands that come next."""
    console = console or Console(highlight=False, soft_wrap=True)
    folder = os.path.relpath(study.configs.runs[0].parent)
    name = Path(folder).name
    console.print(f"written:    {len(study.configs.runs)} scenarios in {folder}/")
    console.print(f"next:       python tools/sweep.py {folder}/*.py")
    console.print(
        f"            python tools/analyze_logs.py report work_dirs/{name}* --out reports/{name}"
    )
