"""What a run's config and log say about it; nothing here is guessed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from fzmm.analysis.reading.config_dump import UNKNOWN, get
from fzmm.analysis.reading.find_runs import TIMESTAMP
from fzmm.analysis.reading.log import Log
from fzmm.analysis.reading.run import Dataset, Run, TrainingSchedule
from fzmm.analysis.reading.typed_values import count, fraction, integer, number, positive, text
from fzmm.provenance import starting_detector


def fill_from_config(run: Run, config: dict[str, Any]) -> None:
    """Set what the config dump says."""
    run.dataset = text(get(config, "study.dataset"))
    run.data_amount = text(get(config, "study.data_amount"))
    run.fraction = fraction(get(config, "study.fraction"))
    run.train = Dataset(ann_file=_ann_file(config, "train_dataloader"))
    run.val = Dataset(
        ann_file=_ann_file(config, "val_dataloader"),
        image_folder=_image_folder(config, "val_dataloader"),
        palette=_palette(config, "val_dataloader"),
    )
    run.model = _model(config)
    run.frozen_stages = integer(get(config, "model.backbone.frozen_stages"))
    run.recorded_trainable = count(get(config, "study.trainable_stages"))
    run.stages = count(get(config, "study.stages")) or run.stages
    run.arm = text(get(config, "study.arm"))
    run.arm_does = text(get(config, "study.arm_does"))
    run.initialisation = _initialisation(config)
    run.seed = integer(get(config, "randomness.seed"))
    run.rate = positive(get(config, "study.rate"))
    run.rate_search = fraction(get(config, "study.rate_search"))
    run.schedule = _schedule(config)


def identity(config: dict[str, Any]) -> tuple:
    """What must be the same for two starts in one folder to be starts of one run."""
    return (
        _ann_file(config, "train_dataloader"),
        _ann_file(config, "val_dataloader"),
        _model(config),
        integer(get(config, "model.backbone.frozen_stages")),
        text(get(config, "study.arm")),
        positive(get(config, "study.rate")),
        fraction(get(config, "study.rate_search")),
        integer(get(config, "randomness.seed")),
    )


def val_interval(config: dict[str, Any]) -> int | None:
    """Iterations between evaluations of an iteration-based loop, where the config says so."""
    if _by_epoch(config) is not False:
        return None
    return integer(get(config, "train_cfg.val_interval"))


def max_iterations(config: dict[str, Any], log: Log) -> int | None:
    """Length of the schedule in iterations."""
    iterations = integer(get(config, "train_cfg.max_iters"))
    if iterations:
        return iterations
    epochs = integer(get(config, "train_cfg.max_epochs"))
    if epochs and log.iterations_per_epoch:
        return epochs * log.iterations_per_epoch
    return None


def milestones(schedule: TrainingSchedule, log: Log) -> tuple[int, ...]:
    """Return the iterations after which the learning rate decays.

    From the schedule where it says so, otherwise from the logged learning rate: a drop by more
    than 2 between two training rows. A drop is placed at the last evaluation between these rows,
    where there is one, since decays by epoch fall on the evaluations at an epoch's end.
    """
    if schedule.milestones:
        length = log.iterations_per_epoch if schedule.milestones_by_epoch else 1
        if length:
            end = max(log.last_step, 1)
            return tuple(value * length for value in schedule.milestones if value * length < end)

    rate = log.train.get("lr")
    if rate is None or len(rate) < 2:
        return ()
    logged = np.isfinite(rate)
    steps, rate = log.steps[logged], rate[logged]
    decays = []
    for index in np.flatnonzero(rate[1:] < 0.5 * rate[:-1]):
        before, after = steps[index], steps[index + 1]
        between = log.eval_steps[(log.eval_steps >= before) & (log.eval_steps < after)]
        decays.append(int(between[-1]) if len(between) else int(before))

    return tuple(decays)


def config_name(folder: Path) -> str | None:
    """Name of the config that MMEngine dumped in the run's folder, or None."""
    if not folder.is_dir():
        return None
    names = [path.stem for path in folder.glob("*.py") if not TIMESTAMP.match(path.stem)]
    return names[0] if len(names) == 1 else None


def _schedule(config: dict[str, Any]) -> TrainingSchedule:
    by_epoch = _by_epoch(config)
    length = integer(get(config, "train_cfg.max_epochs" if by_epoch else "train_cfg.max_iters"))
    schedulers = get(config, "param_scheduler")
    schedulers = [schedulers] if isinstance(schedulers, dict) else schedulers
    steps, gamma, steps_by_epoch, other = None, None, False, []
    for scheduler in schedulers if isinstance(schedulers, list | tuple) else ():
        kind = get(scheduler, "type")
        if not isinstance(kind, str):
            continue
        kind = kind.rpartition(".")[2]
        if kind == "MultiStepLR":
            values = get(scheduler, "milestones")
            if isinstance(values, list | tuple) and all(isinstance(v, int) for v in values):
                steps = tuple(values)
                gamma = number(get(scheduler, "gamma")) or 0.1  # the class's default
                steps_by_epoch = get(scheduler, "by_epoch", True) is not False
        elif kind not in ("LinearLR", "ConstantLR"):
            other.append(kind)

    if schedulers is not None and steps is None:
        steps = ()
    wrapper = get(config, "optim_wrapper.type")
    has_wrapper = isinstance(get(config, "optim_wrapper"), dict)
    return TrainingSchedule(
        length=length,
        by_epoch=by_epoch,
        milestones=steps,
        milestones_by_epoch=steps_by_epoch,
        gamma=gamma,
        learning_rate=number(get(config, "optim_wrapper.optimizer.lr")),
        optimizer=_kind(get(config, "optim_wrapper.optimizer.type")),
        batch_size=integer(get(config, "train_dataloader.batch_size")),
        amp=(isinstance(wrapper, str) and "Amp" in wrapper) if has_wrapper else None,
        other=tuple(other),
    )


def _by_epoch(config: dict[str, Any]) -> bool | None:
    kind = get(config, "train_cfg.type")
    if isinstance(kind, str):
        return "Epoch" in kind
    value = get(config, "train_cfg.by_epoch")
    return value if isinstance(value, bool) else None


def _ann_file(config: dict[str, Any], loader: str) -> str | None:
    files = []
    _collect_ann_files(get(config, f"{loader}.dataset"), files)
    return " + ".join(files) if files else None


def _collect_ann_files(dataset: Any, files: list[str]) -> None:
    """Gather the annotation files of a dataset, through wrappers such as RepeatDataset."""
    if not isinstance(dataset, dict):
        return
    ann_file = text(get(dataset, "ann_file"))
    if ann_file:
        root = text(get(dataset, "data_root")) or ""
        files.append(ann_file if Path(ann_file).is_absolute() else str(Path(root) / ann_file))
    _collect_ann_files(get(dataset, "dataset"), files)
    inner = get(dataset, "datasets")
    for part in inner if isinstance(inner, list | tuple) else ():
        _collect_ann_files(part, files)


def _innermost_dataset(config: dict[str, Any], loader: str) -> Any:
    """Return the dataset that has an annotation file, through wrappers that hold one."""
    dataset = get(config, f"{loader}.dataset")
    while isinstance(dataset, dict) and get(dataset, "ann_file") is None:
        dataset = get(dataset, "dataset")
    return dataset


def _image_folder(config: dict[str, Any], loader: str) -> str | None:
    dataset = _innermost_dataset(config, loader)
    root, prefix = text(get(dataset, "data_root")), text(get(dataset, "data_prefix.img"))
    return os.path.join(root or "", prefix or "") or None


def _palette(config: dict[str, Any], loader: str) -> tuple[tuple[int, int, int], ...] | None:
    colours = get(_innermost_dataset(config, loader), "metainfo.palette")
    if not isinstance(colours, list | tuple) or not all(map(_is_colour, colours)):
        return None
    return tuple(tuple(colour) for colour in colours) or None


def _is_colour(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 3
        and all(type(part) is int and 0 <= part <= 255 for part in value)
    )


def _model(config: dict[str, Any]) -> str | None:
    detector = _kind(get(config, "model.type"))
    if detector is None:
        return None
    backbone = _kind(get(config, "model.backbone.type"))
    for key in ("depth", "arch"):
        size = get(config, f"model.backbone.{key}")
        if backbone and isinstance(size, int | str):
            backbone = f"{backbone}-{size}"
    neck = _kind(get(config, "model.neck.type"))
    return " ".join(part for part in (detector, backbone, neck) if part)


def _initialisation(config: dict[str, Any]) -> str | None:
    """Where the weights come from: ``load_from``, the backbone's checkpoint, or ``scratch``."""
    if "model" not in config or config["model"] is UNKNOWN:
        return None
    start = starting_detector(get(config, "study"))
    if start:  # a resumed run's load_from is its own checkpoint
        return start
    load_from = text(get(config, "load_from"))
    if load_from:
        return load_from
    for place in ("model.backbone.init_cfg", "model.init_cfg"):
        checkpoint = text(get(config, f"{place}.checkpoint"))
        if checkpoint and get(config, f"{place}.type") == "Pretrained":
            return checkpoint
    old_style = text(get(config, "model.pretrained"))
    return old_style or "scratch"


def _kind(value: Any) -> str | None:
    return value.rpartition(".")[2] if isinstance(value, str) and value else None
