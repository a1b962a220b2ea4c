"""The config files of a study: a base for each data amount, a few lines for each scenario."""

from __future__ import annotations

import dataclasses
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fzmm.detector_config.detector import learns_masks
from fzmm.detector_config.freezing import Scenario
from fzmm.paths import BASES, PREFIX, ROOT
from fzmm.scenarios import rate_name
from fzmm.schedules import Schedule, study_schedule
from fzmm.study.arms import Arm
from fzmm.study.base_schedule import decays_of, has_own_schedule, proportional_schedulers
from fzmm.study.config_code import Name, assignments, comment, format_code
from fzmm.study.data_amounts import DataAmount
from fzmm.study.dataset.data_check import DataReport
from fzmm.study.image_scale import scale_note, study_scale
from fzmm.study.pipelines import rescaled_pipelines
from fzmm.study.rates import at_rate
from fzmm.study.study_detector import StudyDetector
from fzmm.study.study_options import StudyOptions
from fzmm.utils.config_file import read_config_file

_INHERITED = ("coco_detection", "schedule_381108", "runtime")  # by a detector from elsewhere
_MOST_TRAIN_SPLIT_IMAGES = 5_000  # COCO's validation images, the recipe's own number


@dataclasses.dataclass
class StudyConfigs:
    """The files of a study, not yet written.

    Attributes:
        files: Content by path.
        runs: The configs of the scenarios, in the order to train them.
        schedules: Schedule of each data amount.
        rates: Learning rates that every scenario is trained at, where there are several.
        notes: What was changed or left out of ``--base``.
    """

    files: dict[Path, str] = dataclasses.field(default_factory=dict)
    runs: list[Path] = dataclasses.field(default_factory=list)
    schedules: dict[str, Schedule] = dataclasses.field(default_factory=dict)
    rates: list[float] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)


def make_configs(
    options: StudyOptions,
    detector: StudyDetector,
    report: DataReport,
    amounts: Sequence[DataAmount],
) -> StudyConfigs:
    """Make the files of a study.

    Args:
        options: What the study is to be.
        detector: The detector that it trains, and its scenarios.
        report: The checked dataset.
        amounts: Data amounts, the whole first.
    """
    result = StudyConfigs(notes=list(detector.notes))
    folder = Path(options.configs_dir or "configs") / options.name
    bases = folder / "_base_"
    for amount in amounts:
        result.schedules[amount.name] = _schedule(options, detector, report, amount)

    if options.base is not None:
        result.files[bases / "model.py"] = _model_file(options.base, detector)
    largest = amounts[0]
    result.files[bases / f"{largest.name}.py"] = _header(
        options, detector, report, result.schedules[largest.name]
    ) + assignments(_largest_parts(options, detector, report, largest, bases, result))

    for amount in amounts[1:]:
        result.files[bases / f"{amount.name}.py"] = _smaller_amount(
            amount, largest, result.schedules
        )

    result.rates = options.rates if len(options.rates) > 1 else []
    for amount in amounts:
        for scenario in detector.chosen:
            parts = _scenario_parts(amount, scenario, detector)
            _add_runs(result, folder / f"{amount.name}_{scenario.name}", parts, detector)
        for arm in detector.arms:
            parts = _arm_parts(amount, arm, detector)
            head = f"# {comment(arm.does.capitalize())}.\n"
            _add_runs(result, folder / f"{amount.name}_{arm.name}", parts, detector, head)

    result.files = {path: format_code(text) for path, text in result.files.items()}
    return result


def _schedule(
    options: StudyOptions, detector: StudyDetector, report: DataReport, amount: DataAmount
) -> Schedule:
    batch = detector.images_per_device * options.gpus
    schedule = study_schedule(
        report.train.images_with_boxes,
        batch_size=batch,
        epochs=options.epochs,
        fraction=amount.fraction,
        lr=options.rates[0] if options.rates else detector.learning_rate(batch),
    )
    evaluations = min(options.evaluations or schedule.evaluations, schedule.evaluations)
    schedule = dataclasses.replace(schedule, evaluations=evaluations)
    if has_own_schedule(detector.cfg):
        own = proportional_schedulers(detector.cfg, schedule.max_iters, schedule.lr)
        schedule = dataclasses.replace(schedule, milestones=decays_of(own))
    return schedule


def _largest_parts(
    options: StudyOptions,
    detector: StudyDetector,
    report: DataReport,
    largest: DataAmount,
    bases: Path,
    result: StudyConfigs,
) -> list[tuple[str, Any]]:
    """Return the assignments of the base that all data amounts inherit."""
    schedule = result.schedules[largest.name]
    batch = detector.images_per_device * options.gpus
    study = dict(dataset=options.name, data_amount=largest.name, fraction=largest.fraction)
    if not detector.counts_as_resnet:
        study["stages"] = max(s.trainable_stages for s in detector.scenarios.values())
    start = detector.start
    if start is not None:
        study.update(start.study)
    if options.base is None:
        inherited: Any = _base_name("coco100", bases)
    else:
        inherited = ["./model.py", *(_base_name(name, bases) for name in _INHERITED)]

    return [
        ("_base_", inherited),
        ("custom_imports", detector.custom_imports),
        ("study", study),
        ("model", detector.changes),
        *([] if start is None else [("load_from", start.address)]),
        *_data_parts(options, detector, report, largest, result.notes),
        *_schedule_parts(schedule, detector, options.base is not None),
        ("default_hooks", _hooks(options, detector, schedule, report)),
        ("auto_scale_lr", dict(enable=False, base_batch_size=batch)),
    ]


def _smaller_amount(amount: DataAmount, largest: DataAmount, schedules: dict[str, Schedule]) -> str:
    """Return the base of a data amount: what differs from the largest."""
    schedule = schedules[amount.name]
    # what the base sets and this one does not would be inherited
    unset = dict.fromkeys(_loop(schedules[largest.name]).keys() - {"max_iters", "val_interval"})
    parts = [
        ("_base_", f"./{largest.name}.py"),
        ("study", dict(data_amount=amount.name, fraction=amount.fraction)),
        ("train_dataloader", dict(dataset=dict(ann_file=str(amount.ann_file)))),
        ("train_cfg", {**unset, **_loop(schedule)}),
        ("default_hooks", dict(checkpoint=dict(interval=schedule.val_interval))),
    ]
    return f"# {amount.fraction:g} of the training images.\n" + assignments(parts)


def _add_runs(
    result: StudyConfigs,
    stem: Path,
    parts: list[tuple[str, Any]],
    detector: StudyDetector,
    head: str = "",
) -> None:
    """Add the config of a set-up, or one for each rate that the study tries."""
    if not result.rates:
        path = stem.with_name(f"{stem.name}.py")
        result.files[path] = head + assignments(parts)
        result.runs.append(path)
        return
    schedule = next(iter(result.schedules.values()))  # of as many iterations as all others
    schedulers = _schedulers(schedule, detector)
    for rate in result.rates:
        path = stem.with_name(f"{stem.name}_{rate_name(rate)}.py")
        result.files[path] = head + assignments(at_rate(parts, rate, schedulers, schedule.lr))
        result.runs.append(path)


def _scenario_parts(
    amount: DataAmount, scenario: Scenario, detector: StudyDetector
) -> list[tuple[str, Any]]:
    parts: list[tuple[str, Any]] = [("_base_", f"./_base_/{amount.name}.py")]
    if not detector.counts_as_resnet:
        parts.append(("study", dict(trainable_stages=scenario.trainable_stages)))
    parts.append(("model", dict(backbone=dict(frozen_stages=scenario.frozen_stages))))
    return parts


def _arm_parts(amount: DataAmount, arm: Arm, detector: StudyDetector) -> list[tuple[str, Any]]:
    least_frozen = next(iter(detector.scenarios))
    return [
        ("_base_", f"./_base_/{amount.name}.py"),
        ("model", dict(backbone=dict(frozen_stages=least_frozen))),
        *arm.config(detector),
    ]


def _data_parts(
    options: StudyOptions,
    detector: StudyDetector,
    report: DataReport,
    amount: DataAmount,
    notes: list[str],
) -> list[tuple[str, Any]]:
    """Return the datasets: paths, classes, and the pipeline at the data's own scale."""
    cfg, train, val = detector.cfg, report.train, report.val
    scale = options.scale or study_scale(cfg, report.size)
    if note := scale_note(scale, report.size):
        notes.append(note)

    common = dict(data_root="", metainfo=dict(classes=train.classes))
    train_set = dict(
        **common, ann_file=str(amount.ann_file), data_prefix=dict(img=f"{train.images}/")
    )
    val_set = dict(**common, ann_file=str(val.ann_file), data_prefix=dict(img=f"{val.images}/"))
    if pipelines := rescaled_pipelines(cfg, scale, options.base, notes):
        train_set["pipeline"], val_set["pipeline"] = pipelines

    evaluator: dict[str, Any] = dict(ann_file=str(val.ann_file))
    if learns_masks(cfg.model):
        evaluator["metric"] = ["bbox", "segm"]
    workers = cfg.train_dataloader.get("num_workers", 4)
    batch = detector.images_per_device
    val_batch = {} if options.base is None else dict(batch_size=cfg.val_dataloader.batch_size)

    return [
        ("train_dataloader", dict(batch_size=batch, num_workers=workers, dataset=train_set)),
        ("val_dataloader", dict(**val_batch, num_workers=workers, dataset=val_set)),
        ("test_dataloader", Name("val_dataloader")),
        ("val_evaluator", evaluator),
        ("test_evaluator", Name("val_evaluator")),
    ]


def _loop(schedule: Schedule) -> dict[str, Any]:
    loop: dict[str, Any] = dict(max_iters=schedule.max_iters, val_interval=schedule.val_interval)
    if schedule.dynamic_intervals:
        loop["dynamic_intervals"] = schedule.dynamic_intervals
    return loop


def _schedulers(schedule: Schedule, detector: StudyDetector) -> list[dict[str, Any]]:
    if has_own_schedule(detector.cfg):
        return proportional_schedulers(detector.cfg, schedule.max_iters, schedule.lr)
    every = dict(by_epoch=False, begin=0)
    warmup = dict(type="LinearLR", start_factor=0.001, **every, end=schedule.warmup_iters)
    decay = dict(
        type="MultiStepLR",
        **every,
        end=schedule.max_iters,
        milestones=list(schedule.milestones),
        gamma=0.1,
    )
    return [warmup, decay]


def _schedule_parts(
    schedule: Schedule, detector: StudyDetector, from_elsewhere: bool
) -> list[tuple[str, Any]]:
    wrapper: dict[str, Any] = dict(optimizer=dict(lr=schedule.lr))
    if from_elsewhere:
        wrapper = {**detector.cfg.optim_wrapper.to_dict(), "_delete_": True}
        wrapper["optimizer"]["lr"] = schedule.lr

    return [
        ("train_cfg", _loop(schedule)),
        ("param_scheduler", _schedulers(schedule, detector)),
        ("optim_wrapper", wrapper),
    ]


def _hooks(
    options: StudyOptions, detector: StudyDetector, schedule: Schedule, report: DataReport
) -> dict[str, Any]:
    cfg = detector.cfg
    if options.base is not None:
        cfg = read_config_file(BASES / "runtime.py", import_custom_modules=False)
    hooks: dict[str, Any] = dict(
        logger=dict(interval=min(50, max(1, schedule.val_interval // 5))),
        checkpoint=dict(interval=schedule.val_interval),
    )
    if "train_split" in cfg.default_hooks:
        # as many training images as validation images: the two cost the same
        images = min(_MOST_TRAIN_SPLIT_IMAGES, len(report.val.coco["images"]))
        hooks["train_split"] = dict(num_images=images)
    if not options.no_val_loss:
        hooks["val_loss"] = dict(type="ValidationLossHook")
    return hooks


def _model_file(base: str, detector: StudyDetector) -> str:
    """Return the detector of a foreign config, written out: its datasets and hooks stay behind."""
    return f"# The detector of {comment(base)}.\n" + assignments(
        [("model", detector.cfg.model.to_dict())]
    )


def _header(
    options: StudyOptions, detector: StudyDetector, report: DataReport, schedule: Schedule
) -> str:
    images, all_images = report.train.images_with_boxes, len(report.train.coco["images"])
    lines = (
        f"{options.name}: {all_images:,} training images ({images:,} hold a box), "
        f"{len(report.val.coco['images']):,} validation images.",
        f"{options.epochs} epochs of {images:,} // ({options.gpus} x "
        f"{detector.images_per_device}) = {schedule.max_iters // options.epochs:,} iterations: "
        f"{schedule.max_iters:,}.",
        f"Written by: {options.command()}",
    )

    layout = dict(initial_indent="# ", break_long_words=False, break_on_hyphens=False)
    return "".join(
        textwrap.fill(comment(line), 98, subsequent_indent="#     ", **layout) + "\n"
        for line in lines
    )


def _base_name(name: str, folder: Path) -> str:
    """Return what a config in ``folder`` calls one of fzmm's bases."""
    in_clone = BASES.parent == ROOT / "configs"
    path = f"{name}.py"
    # Not the path of an installed package: the next installation may have another.
    return os.path.relpath(BASES / path, folder) if in_clone else f"{PREFIX}_base_/{path}"
