"""What a sweep is made of: one run is one config with one seed, in one directory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fzmm.engine.arguments import check_seed
from fzmm.errors import UserError
from fzmm.paths import command_line, config_path

RATE_SEARCH = "rate-search"


@dataclass(frozen=True)
class PlannedRun:
    """One training: a config with a seed, and the directory that holds all that is known of it.

    Attributes:
        config: Config file.
        seed: Its repeat.
        work_dir: ``<root>/<config name>/seed<k>``; ``.../rate-search/seed<k>`` of one that is
            shortened, to find a learning rate.
        reason: Why it was chosen, where that needs saying.
    """

    config: Path
    seed: int
    work_dir: Path
    reason: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """The run's name in tables: config and seed."""
        looking = f"{RATE_SEARCH} " if self.work_dir.parent.name == RATE_SEARCH else ""
        return f"{self.config.stem} {looking}seed{self.seed}"


def run_of(config: Path, seed: int, root: str | os.PathLike) -> PlannedRun:
    """Return the run of a config and a seed below ``root``."""
    return PlannedRun(config, seed, Path(root) / config.stem / f"seed{seed}")


def search_run_of(config: Path, seed: int, root: str | os.PathLike) -> PlannedRun:
    """Return the shortened run that looks whether a config's learning rate is the best."""
    return PlannedRun(config, seed, Path(root) / config.stem / RATE_SEARCH / f"seed{seed}")


def plan_runs(
    configs: Sequence[str | os.PathLike],
    seeds: Sequence[int] = (0,),
    root: str | os.PathLike = "work_dirs",
) -> list[PlannedRun]:
    """Return the runs of a sweep: all configs with the first seed, then with the second, ...

    Repeats come last because the first answer, one run of each scenario, is worth most.

    Args:
        configs: Config files, or names of this package's such as ``fzmm::toy/toy100_frozen2.py``.
        seeds: One repeat of every config for each.
        root: Folder of the run directories.

    Raises:
        UserError: If a config does not exist, two would share a directory, or a seed is negative.
    """
    paths = list(dict.fromkeys(config_path(config) for config in configs))
    if not paths:
        raise UserError("no config given; name some, such as configs/toy/*.py")
    by_name: dict[str, Path] = {}
    for path in paths:
        if not path.is_file():
            raise UserError(
                f"{path}: no such config file; `{command_line('new-study')}` writes a study's"
            )
        other = by_name.setdefault(path.stem, path)
        if other != path:
            raise UserError(
                f"{path} and {other} would share {Path(root) / path.stem}; "
                "rename one, or sweep them with different --work-dir"
            )

    for seed in seeds:
        check_seed(seed, "--seeds")
    return [run_of(path, seed, root) for seed in dict.fromkeys(seeds) for path in paths]
