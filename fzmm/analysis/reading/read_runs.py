"""Reading runs: a ``Run`` of each work directory or log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fzmm.analysis.reading import config_fields
from fzmm.analysis.reading.config_dump import read_config
from fzmm.analysis.reading.duplicates import digest, mark_duplicates, name_apart, without_copies
from fzmm.analysis.reading.find_runs import RunFiles, find_run_files
from fzmm.analysis.reading.log import Log, in_fractions, merge_starts
from fzmm.analysis.reading.mmengine_log import TRAIN_KEYS, read_log
from fzmm.analysis.reading.provenance_fields import fill_from_provenance
from fzmm.analysis.reading.run import Run
from fzmm.errors import UserError
from fzmm.provenance import read_provenance


def read_runs(paths: list[str | Path] | str | Path, notes: list[str] | None = None) -> list[Run]:
    """Read every run below some paths.

    Args:
        paths: Work directories, folders of work directories at any depth, or log files.
        notes: Gets one line for each thing that could not be read; such things are left out and
            do not keep the others from being read.

    Returns:
        The runs, sorted by folder, each with a ``name`` of its own.

    Raises:
        UserError: If a path does not exist or not a single run could be read.
    """
    notes = [] if notes is None else notes
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    runs = []
    for source in find_run_files(paths, notes):
        runs += _read_safely(source, notes)
    if not runs:
        reasons = "; ".join(notes[:3]) or "no paths given"
        raise UserError(f"no run to read: {reasons}")
    runs = without_copies(runs, notes)
    name_apart(runs, notes)
    mark_duplicates(runs)
    return runs


def read_one_log(path: str | Path, keys: tuple[str, ...] | None) -> Log:
    """Read one log file with what the config beside it says about its evaluations.

    Args:
        path: The log.
        keys: Training columns to keep; None keeps all.

    Raises:
        UserError: If the file is no log.
    """
    config = _config_of(Path(path), Path(path), [])
    return read_log(path, keys, config_fields.val_interval(config))


def _read_safely(source: RunFiles, notes: list[str]) -> list[Run]:
    """Read one folder; whatever is wrong with its files is a note and stops no other."""
    try:
        return _read_source(source, notes)
    except Exception as error:  # files of anybody: the other runs are worth more than a traceback
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        notes.append(f"{source.folder}: cannot be read ({reason}); left out")
        return []


def _read_source(source: RunFiles, notes: list[str]) -> list[Run]:
    """Read one folder: one run, or several where its starts were different trainings."""
    starts = []
    for files in source.starts:
        config = _config_of(files[0], source.folder, notes)
        problems = []
        for file in files:
            try:
                log = read_log(file, TRAIN_KEYS, config_fields.val_interval(config))
                starts.append((files, config, log))
                break
            except UserError as error:
                problems.append(str(error))
        else:
            notes.append(problems[0])

    provenance = read_provenance(source.folder, notes) or {}
    runs: list[Run] = []
    group: list[tuple[list[Path], dict, Log]] = []
    for start in starts:
        if group and not _continues(group, start):
            runs.append(_record(source.folder, group, {}))  # provenance is the last training's
            group = []
        group.append(start)

    if group:
        runs.append(_record(source.folder, group, provenance))
    if len(runs) > 1:
        for run, start in zip(runs, _first_starts(starts, runs), strict=True):
            run.name = f"{run.name} ({start})"
            run.notes.append("its folder holds several trainings, told apart by their start")

    return runs


def _first_starts(starts, runs):
    names = [files[0].parent.parent.name for files, _, _ in starts]
    return [run.starts[0].get("folder", names[0]) for run in runs]


def _continues(group, start) -> bool:
    """Whether a start belongs to the run of the starts before it.

    It does not if its config trains something else, or if it begins again after a finished run.
    """
    _, config, log = start
    before = group[-1]
    if config_fields.identity(config) != config_fields.identity(before[1]):
        return False
    finished = _reached_end(before[2], config_fields.max_iterations(before[1], before[2]))
    return not (finished and log.first_step <= before[2].first_step)


def _record(folder: Path, starts, provenance: dict[str, Any]) -> Run:
    """Make the record of one run from its starts' files, configs and logs."""
    files, config, _ = starts[-1]
    log = merge_starts([log for _, _, log in starts])
    in_fractions(log)
    run = Run(name="", folder=folder, log=log, metric=_main_metric(log), notes=list(log.notes))
    config_fields.fill_from_config(run, config)
    fill_from_provenance(run, provenance)
    run.config = run.config or config_fields.config_name(folder)
    run.name = _plain_name(run)

    run.max_iterations = config_fields.max_iterations(config, log)
    run.milestones = config_fields.milestones(run.schedule, log)
    run.starts = run.starts or [{} for _ in starts]
    for (start_files, _, _), start in zip(starts, run.starts, strict=False):
        start.setdefault("folder", start_files[0].parent.parent.name)
    memory = log.train.get("memory")
    if run.peak_memory_mb is None and memory is not None and np.isfinite(memory).any():
        run.peak_memory_mb = float(np.nanmax(memory))
    if run.finished is None:
        run.finished = _reached_end(log, run.max_iterations)
    if run.metric is None:
        run.notes.append("no validation result in the log")
    else:
        values = log.evals[run.metric]
        lost = int((~np.isfinite(values)).sum())
        if lost:
            run.notes.append(f"{lost} of {len(values)} evaluations are not a number")

    if run.finished is False:
        end = f" of {run.max_iterations:,}" if run.max_iterations else ""
        reason = f" ({run.stop_reason})" if run.stop_reason else ""
        run.notes.append(f"unfinished: iteration {log.last_step:,}{end}{reason}")

    run.digest = digest(log)
    return run


def _reached_end(log: Log, max_iterations: int | None) -> bool | None:
    """Whether the log goes to the schedule's end, up to rows that are logged every n iterations."""
    if not max_iterations:
        return None
    gap = int(np.median(np.diff(log.steps))) if len(log.steps) > 1 else 0
    return log.last_step + gap >= max_iterations if log.last_step else False


def _main_metric(log: Log) -> str | None:
    """Choose the metric that a run is judged by: COCO's box mAP where there is one."""
    keys = [
        key
        for key, values in log.evals.items()
        if not key.startswith("train_split/") and (values >= 0).any()  # COCO's -1: no such object
    ]
    for wanted in ("coco/bbox_mAP",):
        if wanted in keys:
            return wanted
    for ending in ("/bbox_mAP", "bbox_mAP", "/segm_mAP", "/mAP", "mAP", "/AP"):
        for key in keys:
            if key.endswith(ending):
                return key
    return None


def _config_of(log: Path, folder: Path, notes: list[str]) -> dict[str, Any]:
    """Read the dump beside the log, or the one in the run's folder."""
    candidates = [log.parent / "config.py", log.parent / "config.py.gz"]
    if folder.is_dir():
        candidates += sorted(folder.glob("*.py"), key=lambda path: path.stat().st_mtime)[::-1]
    for path in candidates:
        if path.is_file():
            try:
                return read_config(path)
            except UserError as error:
                notes.append(str(error))
    return {}


def _plain_name(run: Run) -> str:
    if run.config and run.seed is not None:
        looking = "rate-search/" if run.rate_search else ""
        return f"{run.config}/{looking}seed{run.seed}"
    return run.config or run.folder.name or str(run.folder)
