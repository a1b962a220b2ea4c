"""Which runs would complete the study: the commands that make what a report lacks."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import PurePosixPath

from fzmm.analysis.conclusions.next_runs import MARGIN
from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics.cohorts import Cohort
from fzmm.analysis.statistics.thesis import is_coco
from fzmm.paths import PREFIX, command_line, is_clone
from fzmm.scenarios import (
    FROZEN_STAGES,
    counts_as_resnet,
    frozen_stages,
    rate_name,
    scenario_name,
    trainable_stages,
)

# Where the configs of the package's own studies are; others are known by their runs' provenance.
_CONFIGS = {"coco": "configs/fz", "toy": "configs/toy"}
_COCO = ("coco100", "coco50", "coco25-1", "coco25-2", "coco25-3")
_TOY = ("toy100", "toy25")


def command(cohort: Cohort, amount: str, trainable: int, seed: int | None = None) -> str | None:
    """Return the command that makes a run, or None where its config is not known."""
    folder = _folder(cohort)
    if folder is None:
        return None
    config = f"{amount}_{_scenario(cohort, trainable)}{_rate(cohort, trainable)}"
    return command_of(cohort, f"{folder}/{config}.py", seed)


def command_of(cohort: Cohort, config: str, seed: int | None = None) -> str:
    """Return the command that trains a config."""
    if is_coco(cohort.runs):
        line = _on_four_devices(config)
    else:
        line = f"{command_line('train')} {_own_config(config)}"
    if seed is not None:
        name = PurePosixPath(config).stem
        line += f" --work-dir work_dirs/{name}/seed{seed} --cfg-options randomness.seed={seed}"
    return line


def until_decided(cohort: Cohort, margin: float) -> str:
    """Return the command that makes the next runs round by round until all is decided."""
    configs = sorted(
        {run.config_path or run.config for run in cohort.complete_runs if run.scenario} - {None}
    )
    line = f"{command_line('sweep')} {shlex.join(map(_own_config, configs))} --until-decided"
    return line if margin == MARGIN else f"{line} --margin-pp {100 * margin:g}"


def scenarios_to_run(cohort: Cohort) -> list[str]:
    """Return commands for the scenarios of the cohort's data amounts that have no finished run."""
    wanted = _amounts(cohort)
    commands = []
    by_name = {amount.name: amount for amount in cohort.amounts}
    every = _all_scenarios(cohort)

    for name in wanted:
        for k in every:
            if name in by_name and cohort.cell(by_name[name], k):
                continue
            line = command(cohort, name, k)
            if line:
                commands.append(line)

    if is_coco(cohort.runs) and not cohort.first.from_scratch:
        commands.append(command_of(cohort, f"{_folder(cohort)}/coco100_scratch.py"))
    return commands


def amounts_to_run(cohort: Cohort, trainable: int) -> list[str]:
    """Return commands for one scenario on the data amounts that have no finished run."""
    finished = {amount.name for amount in cohort.amounts if cohort.at([amount])}
    lines = [command(cohort, name, trainable) for name in _amounts(cohort) if name not in finished]
    return [line for line in lines if line]


def repeats_to_run(cohort: Cohort) -> list[str]:
    """Return commands for two more seeds of each scenario on one data amount (section 4.3.1)."""
    if not cohort.amounts:
        return []
    names = [amount.name for amount in cohort.amounts]
    name = "coco25-1" if "coco25-1" in names else names[-1]
    amount = cohort.amounts[names.index(name)]
    commands = []
    for k in cohort.compared:
        seeds = {run.seed for run in cohort.cell(amount, k)}
        for seed in [s for s in (0, 1, 2) if s not in seeds][: max(3 - len(seeds), 0)]:
            line = command(cohort, name, k, seed)
            if line:
                commands.append(line)
    return commands


def _on_four_devices(config: str) -> str:
    if is_clone():
        return f"bash tools/dist_train.sh {config} 4"
    return f"mim train fzmm {PurePosixPath(config).name} --gpus 4 --launcher pytorch"


def _own_config(config: str) -> str:
    """Return a config's path, as an installed package names it where it is one of the package's."""
    if not is_clone() and PurePosixPath(config).parent.as_posix() in _CONFIGS.values():
        return PREFIX + config.removeprefix("configs/")
    return config


def _amounts(cohort: Cohort) -> list[str]:
    names = [amount.name for amount in cohort.amounts]
    if is_coco(cohort.runs):
        return list(_COCO)
    return list(_TOY) if cohort.first.dataset == "toy" else names


def _all_scenarios(cohort: Cohort) -> list[int]:
    if not counts_as_resnet(cohort.unfrozen, cohort.frozen_stages):
        return sorted(cohort.frozen_stages, reverse=True)  # what else it knows no run tells
    # the toy study has three scenarios by design
    every = (-1, 2, 4) if cohort.first.dataset == "toy" else FROZEN_STAGES
    return [trainable_stages(frozen) for frozen in every]


def _scenario(cohort: Cohort, trainable: int) -> str:
    same = (run.scenario for run in cohort.runs if cohort.key(run) == trainable)
    return next(same, None) or scenario_name(frozen_stages(trainable))


def _rate(cohort: Cohort, trainable: int) -> str:
    """Return what ends a config's name where a study tries several learning rates.

    That is the scenario's own rate, or the one that most scenarios have.
    """
    rates = [run.rate for run in cohort.runs if run.rate is not None]
    own = [run.rate for run in cohort.runs if run.rate and cohort.key(run) == trainable]
    common = Counter(own or rates).most_common(1)
    return f"_{rate_name(common[0][0])}" if common else ""


def _folder(cohort: Cohort) -> str | None:
    folders = {_config_folder(run) for run in cohort.runs} - {None}
    if len(folders) == 1:
        return folders.pop()
    return _CONFIGS.get(cohort.first.dataset)


def _config_folder(run: Run) -> str | None:
    if not run.config_path:
        return None
    parent = PurePosixPath(run.config_path).parent
    return None if parent.is_absolute() else str(parent)
