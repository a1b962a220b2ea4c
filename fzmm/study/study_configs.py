"""The config files of a study: a base for each data amount, three lines for each scenario."""

from __future__ import annotations

import copy
import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fzmm.detector_config.detector import learns_masks, train_scale
from fzmm.detector_config.detector_changes import merge, require_masks, set_backbone, set_classes
from fzmm.errors import UserError
from fzmm.paths import BASES
from fzmm.scenarios import FROZEN_STAGES, scenario_name
from fzmm.schedules import Schedule, study_schedule
from fzmm.study.config_code import Name, assignments, format_code
from fzmm.study.data_check import DataReport
from fzmm.study.pipelines import rescaled_pipelines

# COCO's usual image is 640 x 480, and the recipe enlarges its shorter side to 800.
COCO_SHORTER_SIDE = 480


@dataclass(frozen=True)
class Amount:
    """A data amount of a study.

    Attributes:
        name: Such as ``bccd25-1``.
        fraction: Share of the training images.
        ann_file: Its annotation file.
    """

    name: str
    fraction: float
    ann_file: Path


@dataclass
class StudyConfigs:
    """The files of a study, not yet written.

    Attributes:
        files: Content by path.
        runs: The configs of the scenarios, in the order to train them.
        base: Those of the data amounts.
        schedules: Schedule of each data amount.
        notes: What was changed or left out of ``--base``.
    """

    files: dict[Path, str] = field(default_factory=dict)
    runs: list[Path] = field(default_factory=list)
    base: dict[str, Path] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def amounts_of(name: str, fractions: Sequence[float], variations: int) -> list[tuple[str, float]]:
    """Return (name, fraction) of each data amount, the smallest fraction ``variations`` times.

    As in the thesis: COCO100, COCO50 and COCO25-1, -2, -3. The variations share no image, so there
    are no more of them than fit.

    Raises:
        UserError: If a fraction is out of range, given twice, or cannot be varied so often.
    """
    if variations < 1:
        raise UserError(f"--variations {variations}: at least 1")
    for value in fractions:
        if not 0 < value <= 1:
            raise UserError(f"--fractions {value:g}: a share of the images, above 0 and at most 1")
    if len(set(fractions)) < len(fractions):
        raise UserError("--fractions: one is given twice")
    amounts = []
    for value in sorted(fractions, reverse=True):
        label = f"{name}{100 * value:g}".replace(".", "p")
        smallest = value == min(fractions) and value < 1 and variations > 1
        if smallest and value * variations > 1:
            raise UserError(
                f"--variations {variations}: of {value:g} of the images there are at most "
                f"{int(1 / value)} that share none; pass --variations {int(1 / value)}"
            )
        if smallest:
            amounts += [(f"{label}-{index + 1}", value) for index in range(variations)]
        else:
            amounts.append((label, value))
    return amounts


def make_configs(
    folder: Path,
    name: str,
    cfg: Any,
    report: DataReport,
    amounts: Sequence[Amount],
    *,
    base: str | None = None,
    frozen: Sequence[int] = FROZEN_STAGES,
    epochs: int = 26,
    gpus: int = 4,
    evaluations: int | None = None,
    lr: float | None = None,
    scale: tuple[int, int] | None = None,
    depth: int | None = None,
    pretrained: str | None = None,
    command: str = "tools/new_study.py",
) -> StudyConfigs:
    """Make the files of a study.

    Args:
        folder: Where they will stand, such as ``configs/bccd``.
        name: The study's name.
        cfg: The resolved config that the detector comes from.
        report: The checked dataset.
        amounts: Data amounts, the whole first.
        base: Name of the config that ``cfg`` was read from, or None for the project's own recipe.
        frozen: Scenarios.
        epochs: Passes over the full training images; all data amounts get as many iterations.
        gpus: Devices a run is for.
        evaluations: At most so many evaluations of a run; one for each pass over its data if None.
        lr: Learning rate; the base's, in proportion to the batch, if None.
        scale: (width, height) that images are resized to; follows the data if None.
        depth: Depth of the ResNet, if not the base's.
        pretrained: Checkpoint of the backbone, ``"none"`` for none, None for the base's.
        command: What made the files, for their first line.

    Raises:
        UserError: If the detector needs masks and the data has none, or an option does not fit.
    """
    model = copy.deepcopy(cfg.model.to_dict())
    require_masks(model, report, base)
    result = StudyConfigs()
    override = set_classes(model, len(report.train.classes))
    merge(override, set_backbone(model, depth, pretrained))
    batch = cfg.train_dataloader.batch_size
    rate = cfg.optim_wrapper.optimizer.lr
    made_for = cfg.get("auto_scale_lr", {}).get("base_batch_size") or batch * gpus
    shrink = min(1.0, min(report.size) / COCO_SHORTER_SIDE)
    scale = scale or tuple(round(side * shrink) for side in train_scale(cfg))

    bases = folder / "_base_"
    parts: list[tuple[str, Any]] = []
    if base is None:
        parts.append(("_base_", _relative(BASES / "coco100.py", bases)))
    else:
        own = ["coco_detection", "schedule_381108", "runtime"]
        inherited = [_relative(BASES / f"{item}.py", bases) for item in own]
        parts.append(("_base_", ["./model.py", *inherited]))
        result.files[bases / "model.py"] = _model_file(base, cfg, result.notes)
    largest = amounts[0]
    parts.append(("study", dict(dataset=name, data_amount=largest.name, fraction=largest.fraction)))
    parts.append(("model", override))
    parts += _data_parts(cfg, report, largest, scale, base, batch, result.notes)
    images = report.train.images_with_boxes
    lr = float(rate * batch * gpus / made_for) if lr is None else lr
    for amount in amounts:
        plan = study_schedule(
            images, batch_size=batch * gpus, epochs=epochs, fraction=amount.fraction, lr=lr
        )
        if evaluations is not None and evaluations < plan.evaluations:
            plan = Schedule(
                plan.max_iters, plan.milestones, plan.warmup_iters, evaluations, plan.lr
            )
        result.schedules[amount.name] = plan
    plan = result.schedules[largest.name]
    parts += _schedule_parts(plan, batch * gpus, base is not None, cfg)
    parts.append(("default_hooks", _hooks(cfg if base is None else None, plan, report)))
    parts.append(("auto_scale_lr", dict(enable=False, base_batch_size=batch * gpus)))
    header = _header(name, report, command, images, batch, gpus, epochs, plan)
    top = bases / f"{largest.name}.py"
    result.files[top] = header + assignments(parts)
    result.base[largest.name] = top
    # what the base sets and a smaller amount does not would be inherited
    inherited_loop = dict.fromkeys(_loop(plan).keys() - {"max_iters", "val_interval"})
    for amount in amounts[1:]:
        path = bases / f"{amount.name}.py"
        plan = result.schedules[amount.name]
        result.files[path] = f"# {amount.fraction:g} of the training images.\n" + assignments(
            [
                ("_base_", f"./{largest.name}.py"),
                ("study", dict(data_amount=amount.name, fraction=amount.fraction)),
                ("train_dataloader", dict(dataset=dict(ann_file=str(amount.ann_file)))),
                ("train_cfg", {**inherited_loop, **_loop(plan)}),
                ("default_hooks", dict(checkpoint=dict(interval=plan.val_interval))),
            ]
        )
        result.base[amount.name] = path
    for amount in amounts:
        for value in frozen:
            path = folder / f"{amount.name}_{scenario_name(value)}.py"
            result.files[path] = assignments(
                [
                    ("_base_", f"./_base_/{amount.name}.py"),
                    ("model", dict(backbone=dict(frozen_stages=value))),
                ]
            )
            result.runs.append(path)
    result.files = {path: format_code(text) for path, text in result.files.items()}
    return result


def _data_parts(cfg, report, amount, scale, base, batch, notes) -> list[tuple[str, Any]]:
    """Return the datasets: paths, classes, and the pipeline at the data's own scale."""
    train, val = report.train, report.val
    metainfo = dict(classes=train.classes)
    pipelines = rescaled_pipelines(cfg, scale, base, notes)
    common = dict(data_root="", metainfo=metainfo)
    train_set = dict(
        **common, ann_file=str(amount.ann_file), data_prefix=dict(img=f"{train.images}/")
    )
    val_set = dict(**common, ann_file=str(val.ann_file), data_prefix=dict(img=f"{val.images}/"))
    if pipelines:
        train_set["pipeline"], val_set["pipeline"] = pipelines
    evaluator = dict(ann_file=str(val.ann_file))
    workers = cfg.train_dataloader.get("num_workers", 4)
    if learns_masks(cfg.model):
        evaluator["metric"] = ["bbox", "segm"]
    return [
        ("train_dataloader", dict(batch_size=batch, num_workers=workers, dataset=train_set)),
        ("val_dataloader", dict(num_workers=workers, dataset=val_set)),
        ("test_dataloader", Name("val_dataloader")),
        ("val_evaluator", evaluator),
        ("test_evaluator", Name("val_evaluator")),
    ]


def _loop(plan: Schedule) -> dict[str, Any]:
    loop: dict[str, Any] = dict(max_iters=plan.max_iters, val_interval=plan.val_interval)
    if plan.dynamic_intervals:
        loop["dynamic_intervals"] = plan.dynamic_intervals
    return loop


def _schedule_parts(plan: Schedule, batch: int, foreign: bool, cfg) -> list[tuple[str, Any]]:
    schedulers = [
        dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=plan.warmup_iters),
        dict(
            type="MultiStepLR",
            by_epoch=False,
            begin=0,
            end=plan.max_iters,
            milestones=list(plan.milestones),
            gamma=0.1,
        ),
    ]
    wrapper: dict[str, Any] = dict(optimizer=dict(lr=plan.lr))
    if foreign:
        wrapper = {**cfg.optim_wrapper.to_dict(), "_delete_": True}
        wrapper["optimizer"]["lr"] = plan.lr
    return [
        ("train_cfg", _loop(plan)),
        ("param_scheduler", schedulers),
        ("optim_wrapper", wrapper),
    ]


def _hooks(cfg, plan: Schedule, report: DataReport) -> dict[str, Any]:
    if cfg is None:
        from mmengine.config import Config

        cfg = Config.fromfile(BASES / "runtime.py", import_custom_modules=False)
    hooks: dict[str, Any] = dict(
        logger=dict(interval=min(50, max(1, plan.val_interval // 5))),
        checkpoint=dict(interval=plan.val_interval),
    )
    if "train_split" in cfg.default_hooks:
        # as many training images as validation images: the two cost the same
        hooks["train_split"] = dict(num_images=min(5000, len(report.val.coco["images"])))
    return hooks


def _model_file(base: str, cfg, notes: list[str]) -> str:
    """Return the detector of a foreign config, written out: its datasets and hooks stay behind."""
    hooks = [str(hook.get("type")) for hook in cfg.get("custom_hooks", [])]
    if hooks:
        notes.append(f"its hooks are left out: {', '.join(hooks)}")
    return f"# The detector of {base}.\n" + assignments([("model", cfg.model.to_dict())])


def _header(name, report, command, images, batch, gpus, epochs, plan) -> str:
    total = len(report.train.coco["images"])
    text = (
        f"{name}: {total:,} training images ({images:,} hold a box), "
        f"{len(report.val.coco['images']):,} validation images.\n"
        f"{epochs} epochs of {images:,} // ({gpus} x {batch}) = "
        f"{plan.max_iters // epochs:,} iterations: {plan.max_iters:,}.\n"
        f"Written by: {command}"
    )
    layout = dict(initial_indent="# ", break_long_words=False, break_on_hyphens=False)
    return "".join(
        textwrap.fill(line, 98, subsequent_indent="#     ", **layout) + "\n"
        for line in text.split("\n")
    )


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path, folder)
