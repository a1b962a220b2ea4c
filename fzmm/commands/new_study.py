"""Make a study of any dataset: check it, cut subsets, write configs/<name>/."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from fzmm.detector_config.detector import train_scale
from fzmm.detector_config.step_time import interpolate, quiet, time_steps
from fzmm.paths import command_line
from fzmm.study.dataset.data_check import DataReport
from fzmm.study.dataset.expected_error_text import error_texts
from fzmm.study.new_study import Study, new_study
from fzmm.study.study_options import StudyOptions, add_options
from fzmm.sweep.options import RATE_BUDGET
from fzmm.utils.config_file import read_config_file
from fzmm.utils.durations import duration
from fzmm.utils.terminal import printable

EXAMPLE = """examples:
  fzmm new-study --name cells --data cells
  fzmm new-study --name cells --train-ann train.json --train-images train \\
      --val-ann val.json --val-images val
"""
MAX_CLASSES_SHOWN = 12
MAX_MODULES_SHOWN = 5
_LABEL = 12  # characters of the first column


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the arguments, write the study and say what it will cost."""
    args = vars(parser().parse_args(arguments))
    steps = args.pop("cost_steps")

    study = new_study(
        StudyOptions(**args),
        progress=lambda images, total, name: track(
            images, description=name, total=total, transient=True, disable=not sys.stdout.isatty()
        ),
    )
    console = Console(highlight=False, soft_wrap=True, markup=False)
    for note in study.notes:
        _print(console, "data", printable(note))
    print_data(study.report, console)

    print_plan(study, console)
    if steps > 0:
        print_cost(study, steps, console)
    print_next(study, console)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    command = argparse.ArgumentParser(
        description="Check a dataset, cut subsets of it and write the study's configs.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(command)
    command.add_argument(
        "--cost-steps",
        type=int,
        default=2,
        help="Training steps to time for the estimate of the cost; 0 for none (default: 2).",
    )
    return command


def print_data(report: DataReport, console: Console) -> None:
    """Print what was found in the data."""
    for name, split in (("training", report.train), ("validation", report.val)):
        images = len(split.coco["images"])
        empty = images - split.images_with_boxes
        _print(
            console,
            name,
            f"{images:,} images ({empty:,} without a box), {len(split.boxes):,} boxes, "
            f"{len(split.boxes) / images:.1f} an image",
        )

    _print(console, "images", f"{report.size[0]} x {report.size[1]} pixels (median); all open")
    leaks = report.near_copies or any("are in training too" in note for note in report.notes)
    no_leaks = "no validation image is in training, by name, by content or by its looks"
    _print(console, "leaks", "see below" if leaks else no_leaks)
    console.print(_class_table(report))
    for text in error_texts(report.expected_error):
        console.print(printable(text[:1].upper() + text[1:]))


def print_plan(study: Study, console: Console) -> None:
    """Print what is odd, and the schedules."""
    for note in [*study.report.notes, *study.configs.notes]:
        console.print(f"note: {printable(note)}")
    console.print()
    console.print(_scenario_table(study))
    console.print()
    for name, schedule in study.configs.schedules.items():
        steps = " and ".join(f"{value:,}" for value in schedule.milestones)
        decays = f"decays after {steps}" if steps else "the base's decay"
        rates = ", ".join(f"{rate:g}" for rate in study.configs.rates or [schedule.lr])
        _print(
            console,
            name,
            f"{schedule.max_iters:,} iterations, learning rate {rates}, "
            f"{decays}, {schedule.evaluations} evaluations",
        )


def print_cost(study: Study, steps: int, console: Console) -> None:
    """Time a few steps of the least and the most frozen scenario and print what the study costs."""
    runs = study.configs.runs
    with quiet():
        cfg = read_config_file(runs[0])
        configs = {run: read_config_file(run, import_custom_modules=False) for run in runs}

    frozen = {run: configs[run].model.backbone.frozen_stages for run in runs}
    extremes = sorted({min(frozen.values()), max(frozen.values())})
    with console.status("timing a few training steps"):
        measured = time_steps(cfg, extremes, steps)

    seconds = [
        interpolate(measured, frozen[run]) * configs[run].train_cfg.max_iters for run in runs
    ]
    rates = len(study.configs.rates) or 1  # of which one is trained in full
    total = sum(seconds) / rates
    width, height = train_scale(cfg)
    device = next(iter(measured.values())).device
    times = ", ".join(f"{time.seconds:.3g} s at {value}" for value, time in measured.items())
    _print(
        console,
        "cost",
        f"{len(runs) // rates} runs, {duration(total)} in all, {duration(min(seconds))} to "
        f"{duration(max(seconds))} each; validation comes on top",
    )

    if rates > 1:
        sizes = len({amount.fraction for amount in study.amounts}) / len(study.amounts)
        looking = RATE_BUDGET * sizes * sum(seconds)
        console.print(
            f"{'':{_LABEL}}before them {round(sizes * len(runs))} runs of {RATE_BUDGET:.0%} of the "
            f"schedule look for the rates: {duration(looking)}"
        )
    console.print(
        f"{'':{_LABEL}}({steps} timed steps on this {device}, "
        f"{cfg.train_dataloader.batch_size} images of up to {width} x {height}; by frozen_stages: "
        f"{times})"
    )


def print_next(study: Study, console: Console) -> None:
    """Print the commands that come next."""
    folder = os.path.relpath(study.configs.runs[0].parent)
    name = Path(folder).name
    runs, rates = len(study.configs.runs), len(study.configs.rates)
    written = f"{runs} configs, {runs // rates} scenarios at {rates} rates," if rates else None
    _print(console, "written", f"{written or f'{runs} scenarios'} in {folder}/")
    _print(console, "look", f"{printable(os.path.relpath(study.data_page))} shows the data")
    until = " --until-decided" if rates else ""  # which looks for each scenario's rate first
    _print(console, "next", f"{command_line('sweep')} {folder}/*.py{until}")
    console.print(f"{'':{_LABEL}}{command_line('report')} work_dirs/{name}* --out reports/{name}")


def _class_table(report: DataReport) -> Table:
    counts = report.class_counts()
    total = sum(in_train for _, in_train, _ in counts) or 1
    rarer = len(counts) - MAX_CLASSES_SHOWN
    table = Table(
        "class",
        box=None,
        pad_edge=False,
        header_style="bold",
        caption=f"and {rarer} rarer classes" if rarer > 0 else None,
        caption_justify="left",
        caption_style="",
    )

    for column in ("training", "validation", "share"):
        table.add_column(column, justify="right")
    for name, in_train, in_val in counts[:MAX_CLASSES_SHOWN]:
        shares = (f"{in_train:,}", f"{in_val:,}", f"{100 * in_train / total:.1f}%")
        table.add_row(Text(printable(name)), *shares)

    return table


def _scenario_table(study: Study) -> Table:
    """Say what each scenario freezes, and how much of the backbone that is."""
    table = Table("scenario", box=None, pad_edge=False, header_style="bold")
    for column in ("frozen_stages", "trainable stages", "trained"):
        table.add_column(column, justify="right")
    table.add_column("frozen")
    whole = max(s.trainable_parameters for s in study.detector.scenarios.values())

    for scenario in study.detector.chosen:
        names = scenario.frozen_modules
        shown = ", ".join(names[:MAX_MODULES_SHOWN]) or "nothing"
        more = (
            f" and {len(names) - MAX_MODULES_SHOWN} more" if len(names) > MAX_MODULES_SHOWN else ""
        )
        table.add_row(
            scenario.name,
            str(scenario.frozen_stages),
            str(scenario.trainable_stages),
            f"{scenario.trainable_parameters / whole:.0%}",
            shown + more,
        )

    for arm in study.detector.arms:
        table.add_row(arm.name, str(next(iter(study.detector.scenarios))), "", "", arm.does)

    return table


def _print(console: Console, label: str, text: str) -> None:
    console.print(f"{label + ': ':{_LABEL}}{text}")
