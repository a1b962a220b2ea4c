"""What a sweep will do: its runs' lengths and batches, read from their configs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction

from fzmm.engine.runner.check_inputs import check_files
from fzmm.errors import UserError
from fzmm.schedules import apply_budget
from fzmm.sweep.planned_run import PlannedRun
from fzmm.sweep.run_dir.state import State, read_status
from fzmm.sweep.run_dir.trained_settings import settings_of
from fzmm.utils.config_file import read_config_file


@dataclass(frozen=True)
class ConfigFacts:
    """What a plan needs of a config; None where the config does not say.

    Attributes:
        max_iters: Iterations of the schedule as it will be run.
        batch_size: Images an iteration of one process.
        base_batch_size: Images an iteration that the schedule is made for.
        frozen_stages: The scenario.
        kind: Runs of one kind cost the same an iteration: detector and backbone.
        study: What its study says of it: data amount, fraction, arm, and one of several rates.
        settings: What decides what is learned, as ``settings_of`` gives it.
        missing: Which of its files is not on this machine, and how to make it; None if all are.
    """

    max_iters: int | None
    batch_size: int | None
    base_batch_size: int | None
    frozen_stages: int | None
    kind: str
    study: dict[str, Any] = field(default_factory=dict, compare=False)
    settings: dict[str, Any] = field(default_factory=dict, compare=False)
    missing: str | None = field(default=None, compare=False)

    @property
    def gpus(self) -> int:
        """Processes with which one iteration is the schedule's."""
        if not self.batch_size or not self.base_batch_size:
            return 1
        return max(1, self.base_batch_size // self.batch_size)


def read_facts(config: Path, arguments: Sequence[str] = ()) -> ConfigFacts:
    """Read a config as ``fzmm train`` with these arguments would run it.

    Raises:
        UserError: If the config cannot be read.
    """
    cfg, scaled = _resolve(config, arguments)
    if "model" not in cfg or "train_dataloader" not in cfg:
        raise UserError(f"{config}: has no model or no train_dataloader; give a run's config")
    backbone: dict[str, Any] = cfg.model.get("backbone", {})
    study = cfg.get("study")
    return ConfigFacts(
        max_iters=(cfg.get("train_cfg") or {}).get("max_iters"),
        batch_size=cfg.train_dataloader.get("batch_size"),
        base_batch_size=(cfg.get("auto_scale_lr") or {}).get("base_batch_size"),
        frozen_stages=backbone.get("frozen_stages"),
        kind=f"{cfg.model.get('type')} {backbone.get('type')}-{backbone.get('depth')}",
        study=dict(study) if isinstance(study, Mapping) else {},
        settings=_settings(cfg, scaled),
        missing=_missing(cfg),
    )


def _resolve(config: Path, arguments: Sequence[str]) -> tuple[Config, bool]:
    """Return a config with the arguments applied, and whether its schedule will be scaled."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--cfg-options", nargs="+", action=DictAction)
    parser.add_argument("--budget", type=float, default=1.0)
    parser.add_argument("--scale-schedule", action="store_true")
    options, _ = parser.parse_known_args(list(arguments))

    # The custom imports register modules for training; a plan needs none of them.
    cfg = read_config_file(config, import_custom_modules=False)
    if options.cfg_options:
        cfg.merge_from_dict(options.cfg_options)
    if options.budget != 1:
        apply_budget(cfg, options.budget)
    return cfg, options.scale_schedule


def _missing(cfg: Config) -> str | None:
    try:
        check_files(cfg)
    except UserError as error:
        return str(error)
    return None


def _settings(cfg: Config, scaled: bool) -> dict[str, Any]:
    settings = settings_of(cfg.to_dict())
    if scaled:  # by the number of GPUs, which is not known yet
        for section in ("train_cfg", "param_scheduler", "optim_wrapper"):
            settings.pop(section, None)
    return settings


def read_all_facts(
    runs: Sequence[PlannedRun], arguments: Sequence[str] = ()
) -> dict[Path, ConfigFacts]:
    """Read the config of every run, each once."""
    return {
        config: read_facts(config, arguments) for config in dict.fromkeys(r.config for r in runs)
    }


def check_any_has_its_files(runs: Sequence[PlannedRun], facts: Mapping[Path, ConfigFacts]) -> None:
    """Refuse to start trainings none of which can start; where one can, it is not held up.

    Raises:
        UserError: If every config that is still to be trained lacks a file.
    """
    to_do = [run for run in runs if read_status(run).state is not State.DONE]
    missing = [facts[run.config].missing for run in to_do]
    if missing and all(missing):
        raise UserError(missing[0])


def batch_notice(facts: ConfigFacts, processes: int, arguments: Sequence[str]) -> str | None:
    """Return a line of warning if a run's batch is not the one that its schedule is made for."""
    scaled = {"--scale-schedule", "--auto-scale-lr"} & set(arguments)
    if scaled or not facts.batch_size or not facts.base_batch_size:
        return None
    batch = facts.batch_size * processes
    if batch == facts.base_batch_size:
        return None
    return (
        f"note: the schedule is made for {facts.base_batch_size} images an iteration and gets "
        f"{batch} here; end the command with `-- --scale-schedule` to keep the images seen"
    )
