"""Finding the runs in the files and folders that a user names."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from fzmm.analysis.reading.log_lines import looks_like_log
from fzmm.errors import UserError
from fzmm.provenance import FILE_NAME

_MAIN_LOGS = ("scalars.json", "scalars.json.gz")  # the second in an archive
TIMESTAMP = re.compile(r"^\d{8}_\d{6}$")


@dataclass
class RunFiles:
    """The files of one run: its folder and, for each start in the order of time, the log(s).

    Attributes:
        folder: The run's work directory (or the log itself, where that is all there is).
        starts: For each start, the files that hold its log; a later one serves if a former fails.
    """

    folder: Path
    starts: list[list[Path]] = field(default_factory=list)


def find_run_files(paths: list[str | Path], notes: list[str]) -> list[RunFiles]:
    """Return the runs below ``paths``, each once, sorted by folder.

    Args:
        paths: Work directories, folders of them at any depth, or log files.
        notes: Gets a line for each path that holds no run.

    Raises:
        UserError: If a path does not exist.
    """
    starts: dict[Path, dict[Path, list[Path]]] = {}
    seen: set[Path] = set()
    for path in map(Path, paths):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; give a work directory or a log")
        started: list[Path] = []
        logs = list(_walk(path, started)) if path.is_dir() else [path]
        logging = {_folder_of(log)[0].resolve() for log in logs}
        waiting = [folder for folder in started if folder.resolve() not in logging]
        notes += [f"{folder}: has not logged anything yet" for folder in waiting]
        if not logs and not waiting:
            notes.append(f"{path}: no log of MMEngine below it (<timestamp>/vis_data/scalars.json)")
        for log in logs:
            if log.resolve() not in seen:  # paths that overlap name a run once
                seen.add(log.resolve())
                folder, start = _folder_of(log)
                starts.setdefault(folder, {}).setdefault(start, []).append(log)

    return [
        RunFiles(folder, [_preferred(logs[start]) for start in sorted(logs, key=_order)])
        for folder, logs in sorted(starts.items())
    ]


def _walk(root: Path, started: list[Path]):
    """Yield the logs below a folder; note in ``started`` the folders of runs that began."""
    for directory, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        directory = Path(directory)
        if FILE_NAME in files:
            started.append(directory)
        for name in sorted(files):
            packed = name.endswith(".json.gz") and directory.name == "vis_data"
            if not (name.endswith(".json") or packed) or name.startswith("."):
                continue
            path = directory / name
            # a test run's <timestamp>/<timestamp>.json holds its result, not a log
            is_result = TIMESTAMP.match(directory.name)
            if directory.name == "vis_data" or (not is_result and looks_like_log(path)):
                yield path


def _folder_of(log: Path) -> tuple[Path, Path]:
    """Return the run's folder and the start's folder of a log."""
    if log.parent.name != "vis_data":
        return log, log
    start = log.parent.parent
    if TIMESTAMP.match(start.absolute().name):
        return (start.parent if start.name else start.absolute().parent), start
    return start, log.parent


def _preferred(files: list[Path]) -> list[Path]:
    """Put scalars.json first: it is what MMEngine calls its log; the other is a copy."""
    return sorted(files, key=lambda path: (path.name not in _MAIN_LOGS, path.name))


def _order(start: Path) -> tuple[str, float]:
    name = start.name if TIMESTAMP.match(start.name) else ""
    return name, start.stat().st_mtime if start.exists() else 0.0
