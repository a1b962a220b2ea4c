"""What a run's config, provenance and log say about it; nothing here is guessed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fzmm.analysis.reading.config_dump import UNKNOWN, get
from fzmm.analysis.reading.mmengine_log import Log
from fzmm.analysis.reading.run import Dataset, Run, TrainingSchedule

_STAMP = re.compile(r"^\d{8}_\d{6}$")


def fill_from_config(run: Run, config: dict[str, Any]) -> None:
    """Set what the config dump says."""
    run.dataset = _text(get(config, "study.dataset"))
    run.data_amount = _text(get(config, "study.data_amount"))
    run.fraction = _fraction(get(config, "study.fraction"))
    run.train = Dataset(ann_file=_ann_file(config, "train_dataloader"))
    run.val = Dataset(ann_file=_ann_file(config, "val_dataloader"))
    run.model = _model(config)
    run.frozen_stages = _int(get(config, "model.backbone.frozen_stages"))
    run.initialisation = _initialisation(config)
    run.seed = _int(get(config, "randomness.seed"))
    run.schedule = _schedule(config)


def fill_from_provenance(run: Run, record: dict[str, Any]) -> None:
    """Set what ``provenance.json`` says; it is about the run itself, so it goes before the config.

    Only values of the right type are taken: the file may come from anybody.
    """
    config = _text(record.get("config"))
    if config:
        run.config, run.config_path = Path(config).stem, config
    for name in ("frozen_stages", "seed"):
        value = _int(record.get(name))
        if value is not None:
            setattr(run, name, value)
    study = record.get("study")
    if isinstance(study, dict):
        run.dataset = _text(study.get("dataset")) or run.dataset
        run.data_amount = _text(study.get("data_amount")) or run.data_amount
        run.fraction = _fraction(study.get("fraction")) or run.fraction
    for name in ("train", "val"):
        known = record.get(name)
        if isinstance(known, dict):
            old = getattr(run, name)
            new = replace(
                old,
                ann_file=_text(known.get("ann_file")) or old.ann_file,
                sha256=_text(known.get("sha256")),
                images=_count(known.get("images")),
                annotations=_count(known.get("annotations")),
                categories=_count(known.get("categories")),
            )
            setattr(run, name, new)
    run.initialisation = _text(record.get("initialisation")) or run.initialisation
    parameters = record.get("parameters")
    if isinstance(parameters, dict):
        run.trainable_parameters = _count(parameters.get("trainable"))
    run.peak_memory_mb = _float(record.get("peak_memory_mb"))
    if isinstance(record.get("finished"), bool):
        run.finished = record["finished"]
    run.stop_reason = _text(record.get("stop_reason"))
    sessions = record.get("sessions")
    if isinstance(sessions, list):
        run.starts = [dict(session) for session in sessions if isinstance(session, dict)]
        sizes = {_int(session.get("world_size")) for session in run.starts} - {None}
        if len(sizes) == 1:
            run.schedule = replace(run.schedule, world_size=sizes.pop())


def identity(config: dict[str, Any]) -> tuple:
    """What must be the same for two starts in one folder to be starts of one run."""
    return (
        _ann_file(config, "train_dataloader"),
        _ann_file(config, "val_dataloader"),
        _model(config),
        _int(get(config, "model.backbone.frozen_stages")),
        _int(get(config, "randomness.seed")),
    )


def val_interval(config: dict[str, Any]) -> int | None:
    """Iterations between evaluations of an iteration-based loop, where the config says so."""
    if _by_epoch(config) is not False:
        return None
    return _int(get(config, "train_cfg.val_interval"))


def max_iterations(config: dict[str, Any], log: Log) -> int | None:
    """Length of the schedule in iterations."""
    iterations = _int(get(config, "train_cfg.max_iters"))
    if iterations:
        return iterations
    epochs = _int(get(config, "train_cfg.max_epochs"))
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
    known = np.isfinite(rate)
    steps, rate = log.steps[known], rate[known]
    found = []
    for index in np.flatnonzero(rate[1:] < 0.5 * rate[:-1]):
        before, after = steps[index], steps[index + 1]
        between = log.eval_steps[(log.eval_steps >= before) & (log.eval_steps < after)]
        found.append(int(between[-1]) if len(between) else int(before))
    return tuple(found)


def config_name(folder: Path) -> str | None:
    """Name of the config that MMEngine dumped in the run's folder, or None."""
    if not folder.is_dir():
        return None
    names = [path.stem for path in folder.glob("*.py") if not _STAMP.match(path.stem)]
    return names[0] if len(names) == 1 else None


def _schedule(config: dict[str, Any]) -> TrainingSchedule:
    by_epoch = _by_epoch(config)
    length = _int(get(config, "train_cfg.max_epochs" if by_epoch else "train_cfg.max_iters"))
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
                gamma = _float(get(scheduler, "gamma")) or 0.1  # the class's default
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
        learning_rate=_float(get(config, "optim_wrapper.optimizer.lr")),
        optimizer=_kind(get(config, "optim_wrapper.optimizer.type")),
        batch_size=_int(get(config, "train_dataloader.batch_size")),
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
    ann_file = _text(get(dataset, "ann_file"))
    if ann_file:
        root = _text(get(dataset, "data_root")) or ""
        files.append(ann_file if Path(ann_file).is_absolute() else str(Path(root) / ann_file))
    _collect_ann_files(get(dataset, "dataset"), files)
    inner = get(dataset, "datasets")
    for item in inner if isinstance(inner, list | tuple) else ():
        _collect_ann_files(item, files)


def _model(config: dict[str, Any]) -> str | None:
    detector = _kind(get(config, "model.type"))
    if detector is None:
        return None
    backbone = _kind(get(config, "model.backbone.type"))
    depth = get(config, "model.backbone.depth")
    if backbone and isinstance(depth, int | str):
        backbone = f"{backbone}-{depth}"
    neck = _kind(get(config, "model.neck.type"))
    return " ".join(part for part in (detector, backbone, neck) if part)


def _initialisation(config: dict[str, Any]) -> str | None:
    """Where the weights come from: ``load_from``, the backbone's checkpoint, or ``scratch``."""
    if "model" not in config or config["model"] is UNKNOWN:
        return None
    load_from = _text(get(config, "load_from"))
    if load_from:
        return load_from
    for place in ("model.backbone.init_cfg", "model.init_cfg"):
        checkpoint = _text(get(config, f"{place}.checkpoint"))
        if checkpoint and get(config, f"{place}.type") == "Pretrained":
            return checkpoint
    old_style = _text(get(config, "model.pretrained"))
    return old_style or "scratch"


def _kind(value: Any) -> str | None:
    return value.rpartition(".")[2] if isinstance(value, str) and value else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _int(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and abs(value) < 2**53 else None


def _fraction(value: Any) -> float | None:
    number = _float(value)
    return number if number is not None and 0 < number <= 1 else None


def _count(value: Any) -> int | None:
    number = _int(value)
    return number if number is not None and number >= 0 else None


def _float(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if np.isfinite(float(value)) else None
    except OverflowError:
        return None
