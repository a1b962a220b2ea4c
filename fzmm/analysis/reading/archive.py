"""Copies of runs that are small enough to be kept and published, and that a report reads."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

from fzmm.analysis.reading.find_runs import RunFiles, find_run_files
from fzmm.errors import UserError
from fzmm.predictions import FILE_NAME
from fzmm.provenance import read_provenance, write_provenance
from fzmm.utils.files import atomic_write, read_regular

# Of a record: what only resuming on the same disk needs, and what names a machine.
_NOT_KEPT = {"image_sample", "hostname"}


def archive_runs(
    paths: list[str | Path],
    out: str | Path,
    notes: list[str],
    unfinished: bool = False,
    no_times: str | None = None,
) -> list[Path]:
    """Copy logs, configs, records and predictions of finished runs; weights stay behind.

    A run comes to ``out/<config>/seed<k>``, as it lies in its work directory, and replaces an
    older copy.

    Args:
        paths: Work directories, or folders of them at any depth.
        out: Folder to copy to; made where it is not there.
        notes: Gets a line for each run that is left out.
        unfinished: Copy runs that have not ended, too.
        no_times: Why the runs' times say nothing, such as several trainings on one GPU at once.
            It is written into the copies' records, and reports leave these times out.

    Returns:
        The folders of the copies.

    Raises:
        UserError: If a path does not exist, no run has ended, or ``out`` lies in a work directory.
    """
    sources = []
    for source in find_run_files(list(paths), notes):
        if unfinished or (read_provenance(source.folder, notes) or {}).get("finished"):
            sources.append(source)
        else:
            notes.append(f"{source.folder}: not finished; left out")
    if not sources:
        raise UserError("no finished run to copy: " + ("; ".join(notes[:3]) or "no paths given"))

    out = Path(out)
    root = os.path.commonpath([source.folder.resolve().parent.parent for source in sources])
    targets = [out / source.folder.resolve().relative_to(root) for source in sources]
    for source, target in zip(sources, targets, strict=True):
        if target.resolve() == source.folder.resolve():
            raise UserError(f"--out {out}: that is where the runs are; name another folder")
        _copy(source, target, no_times)
    return targets


def _copy(source: RunFiles, target: Path, no_times: str | None) -> None:
    for files in source.starts:
        log = files[0]
        for file in (log, log.parent / "config.py"):
            if file.is_file():
                name = file.name if file.suffix == ".gz" else f"{file.name}.gz"
                _pack(file, target / file.relative_to(source.folder).with_name(name))
    if (source.folder / FILE_NAME).is_file():
        _pack(source.folder / FILE_NAME, target / FILE_NAME)
    record = _published(read_provenance(source.folder) or {})
    if no_times:
        record["times_not_comparable"] = no_times
    write_provenance(target, record)


def _pack(file: Path, target: Path) -> None:
    """Gzip a file; the same text gives the same bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    data = read_regular(file)
    packed = data if file.suffix == ".gz" else gzip.compress(data, mtime=0)
    with atomic_write(target, "wb") as out:
        out.write(packed)


def _published(value: Any) -> Any:
    """Return a record without what is of its machine alone; absolute paths keep their names."""
    if isinstance(value, dict):
        return {key: _published(item) for key, item in value.items() if key not in _NOT_KEPT}
    if isinstance(value, list):
        return [_published(item) for item in value]
    if isinstance(value, str):
        return " ".join(map(_file_name, value.split(" ")))
    return value


def _file_name(word: str) -> str:
    option, equals, path = word.rpartition("=")
    return option + equals + Path(path).name if Path(path).is_absolute() else word
