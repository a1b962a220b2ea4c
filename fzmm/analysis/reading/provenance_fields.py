"""What ``provenance.json`` says about a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from fzmm.analysis.reading.run import Dataset, LoadedDetector, Run
from fzmm.analysis.reading.typed_values import count, fraction, integer, number, positive, text


def fill_from_provenance(run: Run, record: dict[str, Any]) -> None:
    """Set what ``provenance.json`` says; it is about the run itself, so it goes before the config.

    Only values of the right type are taken: the file may come from anybody.
    """
    config = text(record.get("config"))
    if config:
        run.config, run.config_path = Path(config).stem, config

    for name in ("frozen_stages", "seed"):
        value = integer(record.get(name))
        if value is not None:
            setattr(run, name, value)

    study = record.get("study")
    if isinstance(study, dict):
        run.dataset = text(study.get("dataset")) or run.dataset
        run.data_amount = text(study.get("data_amount")) or run.data_amount
        run.fraction = fraction(study.get("fraction")) or run.fraction
        recorded = count(study.get("trainable_stages"))
        run.recorded_trainable = run.recorded_trainable if recorded is None else recorded
        run.stages = count(study.get("stages")) or run.stages
        run.arm = text(study.get("arm")) or run.arm
        run.arm_does = text(study.get("arm_does")) or run.arm_does
        run.rate = positive(study.get("rate")) or run.rate
        run.rate_search = fraction(study.get("rate_search")) or run.rate_search

    run.train = _dataset(run.train, record.get("train"))
    run.val = _dataset(run.val, record.get("val"))
    run.initialisation = text(record.get("initialisation")) or run.initialisation
    run.loaded = _loaded(record.get("loaded"))
    parameters = record.get("parameters")
    if isinstance(parameters, dict):
        run.trainable_parameters = count(parameters.get("trainable"))
        run.frozen_parameters = count(parameters.get("frozen"))
    modules = record.get("frozen_modules")
    if isinstance(modules, list) and all(map(text, modules)):
        run.frozen_modules = tuple(modules)
    run.peak_memory_mb = number(record.get("peak_memory_mb"))
    if isinstance(record.get("finished"), bool):
        run.finished = record["finished"]
    run.stop_reason = text(record.get("stop_reason"))
    run.times_not_comparable = text(record.get("times_not_comparable"))
    if run.times_not_comparable:
        run.notes.append(f"its times are left out: {run.times_not_comparable}")

    sessions = record.get("sessions")
    if isinstance(sessions, list):
        run.starts = [dict(session) for session in sessions if isinstance(session, dict)]
        sizes = {integer(session.get("world_size")) for session in run.starts} - {None}
        if len(sizes) == 1:
            run.schedule = replace(run.schedule, world_size=sizes.pop())


def _dataset(of_config: Dataset, record: Any) -> Dataset:
    if not isinstance(record, dict):
        return of_config
    return replace(
        of_config,
        ann_file=text(record.get("ann_file")) or of_config.ann_file,
        sha256=text(record.get("sha256")),
        images=count(record.get("images")),
        annotations=count(record.get("annotations")),
        categories=count(record.get("categories")),
    )


def _loaded(record: Any) -> LoadedDetector | None:
    checkpoint = text(record.get("checkpoint")) if isinstance(record, dict) else None
    if checkpoint is None:
        return None
    shapes, unused = record.get("other_shape"), record.get("only_in_checkpoint")
    return LoadedDetector(
        checkpoint,
        sha256=text(record.get("sha256")),
        loaded=count(record.get("loaded_tensors")),
        tensors=count(record.get("tensors")),
        numbers=count(record.get("loaded_numbers")),
        other_shape=tuple(
            (name, _shape(both[0]), _shape(both[1]))
            for name, both in (shapes if isinstance(shapes, dict) else {}).items()
            if isinstance(both, list) and len(both) == 2
        ),
        unused=tuple(
            (name, tensors)
            for name, value in (unused if isinstance(unused, dict) else {}).items()
            if (tensors := count(value)) is not None
        ),
    )


def _shape(sides: Any) -> str:
    sides = sides if isinstance(sides, list) else []
    return " × ".join(str(side) for side in map(count, sides) if side is not None) or "unknown"
