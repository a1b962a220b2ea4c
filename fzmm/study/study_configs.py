"""The config files of a study: a base for each data amount, three lines for each scenario."""

from __future__ import annotations

import copy
import json
import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fzmm.engine.schedules import Schedule, study_schedule
from fzmm.errors import UserError
from fzmm.scenarios import FROZEN_STAGES, scenario_name
from fzmm.study.command import ROOT
from fzmm.study.data_check import DataReport
from fzmm.study.detector import RECIPE_SCALE, learns_masks, train_scale

BASES = ROOT / "configs" / "_base_"
# COCO's usual image is 640 x 480, and the recipe enlarges its shorter side to 800.
COCO_SHORTER_SIDE = 480
_STYLE = dict(
    based_on_style="pep8",
    column_limit=100,
    dedent_closing_brackets=True,
    split_before_first_argument=True,
    blank_lines_between_top_level_imports_and_variables=1,
)
_RESIZING = {"Resize": "scale", "RandomResize": "scale", "RandomChoiceResize": "scales"}


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
    _require_masks(model, report, base)
    result = StudyConfigs()
    override = set_classes(model, len(report.train.classes))
    _merge(override, _set_backbone(model, depth, pretrained))
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
    result.files[top] = header + _assignments(parts)
    result.base[largest.name] = top
    # what the base sets and a smaller amount does not would be inherited
    inherited_loop = dict.fromkeys(_loop(plan).keys() - {"max_iters", "val_interval"})
    for amount in amounts[1:]:
        path = bases / f"{amount.name}.py"
        plan = result.schedules[amount.name]
        result.files[path] = f"# {amount.fraction:g} of the training images.\n" + _assignments(
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
            result.files[path] = _assignments(
                [
                    ("_base_", f"./_base_/{amount.name}.py"),
                    ("model", dict(backbone=dict(frozen_stages=value))),
                ]
            )
            result.runs.append(path)
    result.files = {path: format_code(text) for path, text in result.files.items()}
    return result


def set_classes(model: dict[str, Any], classes: int) -> dict[str, Any]:
    """Return what to override in a model's config so that every head has ``classes`` classes.

    Heads in a list, as Cascade R-CNN's, are given whole, because a config cannot change one item.
    A head that proposes regions counts objects, not classes, and is left alone.

    Args:
        model: The model's config; changed to the same effect.
        classes: Number of classes.
    """
    changes: dict[str, Any] = {}
    for key, value in model.items():
        if key == "rpn_head":
            continue
        if key == "num_classes":
            model[key] = changes[key] = classes
        elif isinstance(value, dict):
            inner = set_classes(value, classes)
            if inner:
                changes[key] = inner
        elif isinstance(value, list | tuple):
            inner = [set_classes(item, classes) for item in value if isinstance(item, dict)]
            if any(inner):
                changes[key] = list(value)
    return changes


def _require_masks(model: dict, report: DataReport, base: str | None) -> None:
    """Refuse a detector of masks on data that has only boxes."""
    if not learns_masks(model):
        return
    for split in (report.train, report.val):
        for index, item in enumerate(split.coco["annotations"]):
            if not item.get("segmentation"):
                raise UserError(
                    f"{base}: {model.get('type')} learns masks, and annotations[{index}] of "
                    f"{split.ann_file} has no segmentation; take a detector of boxes"
                )


def _set_backbone(model: dict, depth: int | None, pretrained: str | None) -> dict[str, Any]:
    """Return what to override for another ResNet; necks take the stages' widths."""
    backbone: dict[str, Any] = {}
    changes: dict[str, Any] = {"backbone": backbone}
    if depth is not None:
        old = model["backbone"].get("depth")
        if not model["backbone"]["type"].endswith("ResNet") or old is None:
            raise UserError(
                f"--depth {depth}: the base has the backbone {model['backbone']['type']}; "
                "--depth is for ResNet"
            )
        backbone["depth"] = depth
        backbone["init_cfg"] = dict(type="Pretrained", checkpoint=f"torchvision://resnet{depth}")
        # basic blocks (18, 34) end in 64 to 512 channels, bottlenecks in four times as many
        factor = (1 if depth < 50 else 4) / (1 if old < 50 else 4)
        channels = model.get("neck", {}).get("in_channels")
        if factor != 1 and channels is not None:
            changes["neck"] = dict(in_channels=[round(item * factor) for item in channels])
    if pretrained is not None:
        none = pretrained.lower() == "none"
        backbone["init_cfg"] = None if none else dict(type="Pretrained", checkpoint=pretrained)
    if backbone.get("init_cfg") and model["backbone"].get("init_cfg"):
        backbone["init_cfg"]["_delete_"] = True
    return changes if backbone else {}


def _data_parts(cfg, report, amount, scale, base, batch, notes) -> list[tuple[str, Any]]:
    """Return the datasets: paths, classes, and the pipeline at the data's own scale."""
    train, val = report.train, report.val
    metainfo = dict(classes=train.classes)
    pipelines = _pipelines(cfg, scale, base, notes)
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


def _pipelines(cfg, scale, base, notes) -> tuple[list, list] | None:
    """Return the two pipelines, or None where the recipe's are right as they are."""
    own = train_scale(cfg)
    if base is None and tuple(scale) == own:
        return None
    train = cfg.train_dataloader.dataset
    if base is not None and train.get("type") != "CocoDataset":
        notes.append(f"its {train.get('type')} is left out: the recipe's own augmentation is used")
        from mmengine.config import Config

        plain = Config.fromfile(BASES / "coco_detection.py")
        train, test = plain.train_dataloader.dataset, plain.val_dataloader.dataset
    else:
        test = cfg.val_dataloader.dataset
    if base is not None and train is not cfg.train_dataloader.dataset:
        own = RECIPE_SCALE
    return tuple(
        [_rescale(dict(item), own, scale) for item in copy.deepcopy(dataset.to_dict())["pipeline"]]
        for dataset in (train, test)
    )


def _rescale(transform: dict, own: Sequence[int], scale: Sequence[int]) -> dict:
    """Return a transform with the scale ``own`` replaced, and any other changed as much."""
    factor = max(scale) / max(own)
    key = _RESIZING.get(transform.get("type"))
    if key and transform.get(key) is not None:
        transform[key] = _scaled(transform[key], own, scale)
    if transform.get("type") == "RandomCrop" and factor != 1:
        transform["crop_size"] = tuple(round(side * factor) for side in transform["crop_size"])
    if isinstance(transform.get("transforms"), list):
        transform["transforms"] = [
            [_rescale(dict(t), own, scale) for t in item]
            if isinstance(item, list)
            else _rescale(dict(item), own, scale)
            for item in transform["transforms"]
        ]
    if transform.get("backend_args", 0) is None:
        del transform["backend_args"]
    return transform


def _scaled(value: Any, own: Sequence[int], scale: Sequence[int]) -> Any:
    if isinstance(value[0], list | tuple):
        return [_scaled(item, own, scale) for item in value]
    if sorted(value) == sorted(own):
        return tuple(scale)
    return tuple(round(side * max(scale) / max(own)) for side in value)


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
    return f"# The detector of {base}.\n" + _assignments([("model", cfg.model.to_dict())])


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


class Name(str):
    """A name in the written code, as against a string."""

    def __repr__(self) -> str:
        return str(self)


def _assignments(parts: Sequence[tuple[str, Any]]) -> str:
    blocks = []
    for key, value in parts:
        if value == {}:
            continue
        blocks.append(f"{key} = {_code(value)}\n" + ("\n" if key == "_base_" else ""))
    return "".join(blocks)


def _code(value: Any) -> str:
    """Return Python code for a config's value, dicts as MMDetection writes them."""
    if isinstance(value, dict):
        if all(isinstance(key, str) and key.isidentifier() for key in value):
            return "dict(" + ", ".join(f"{key}={_code(item)}" for key, item in value.items()) + ")"
        return "{" + ", ".join(f"{key!r}: {_code(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str) and not isinstance(value, Name):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(map(_code, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_code, value)) + ("," if len(value) == 1 else "") + ")"
    return repr(value)


def format_code(text: str) -> str:
    """Return code laid out for reading, comments and all."""
    if all(len(line) <= _STYLE["column_limit"] for line in text.splitlines()):
        return text
    from yapf.yapflib.yapf_api import FormatCode  # MMEngine formats its dumps with it

    return FormatCode(text, style_config=_STYLE)[0]


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path, folder)


def _merge(into: dict, other: dict) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
