"""From a dataset in COCO format to a study of it: data checked, subsets cut, configs written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fzmm.datasets.subsets.make_subsets import make_subsets
from fzmm.errors import UserError
from fzmm.files import atomic_write, file_sha256
from fzmm.paths import BASES, ROOT
from fzmm.scenarios import FROZEN_STAGES
from fzmm.study.data_check import DataReport, check_data
from fzmm.study.study_configs import Amount, StudyConfigs, amounts_of, make_configs


@dataclass(frozen=True)
class Study:
    """A study that has been written.

    Attributes:
        report: What was found in the data.
        configs: Its config files.
        subsets: Annotation file of each data amount.
    """

    report: DataReport
    configs: StudyConfigs
    subsets: dict[str, Path]


def new_study(
    name: str,
    train_ann: str | os.PathLike,
    val_ann: str | os.PathLike,
    train_images: str | os.PathLike,
    val_images: str | os.PathLike,
    *,
    fractions: Sequence[float] = (1.0, 0.5, 0.25),
    variations: int = 3,
    frozen: Sequence[int] = FROZEN_STAGES,
    epochs: int = 26,
    gpus: int = 4,
    base: str | None = None,
    depth: int | None = None,
    pretrained: str | None = None,
    scale: tuple[int, int] | None = None,
    evaluations: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    configs_dir: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
    allow_leak: bool = False,
    force: bool = False,
    command: str = "tools/new_study.py",
    progress: Callable[[Iterable, int, str], Iterable] | None = None,
) -> Study:
    """Check a dataset and write a study of it.

    The same call gives the same files; what is there already and would not change is left alone.

    Args:
        name: The study's name: of its folder, data amounts and configs.
        train_ann: Training annotations, COCO format.
        val_ann: Validation annotations.
        train_images: Folder of the training images.
        val_images: Folder of the validation images.
        fractions: Shares of the training images.
        variations: Subsets of the smallest fraction, which share no image.
        frozen: Scenarios, MMDetection's ``frozen_stages``.
        epochs: Passes over all training images; each data amount gets as many iterations.
        gpus: Devices of a run; with the config's images on each it makes the batch.
        base: Config of the detector; the project's Faster R-CNN ResNet-50 FPN by default. What
            ``Config.fromfile`` takes, ``mmdet::retinanet/retinanet_r50_fpn_1x_coco.py`` included.
        depth: Depth of the ResNet.
        pretrained: Checkpoint of the backbone, or ``"none"``.
        scale: (width, height) that images are resized to.
        evaluations: At most so many evaluations of a run.
        lr: Learning rate; the base's, in proportion to the batch, by default.
        seed: Of the subsets.
        configs_dir: Folder of the study's folder; ``configs`` by default.
        data_dir: Folder of the subsets; ``data/<name>`` by default.
        allow_leak: Go on though validation images are in training too.
        force: Replace other files of the same names.
        command: What to name as the files' origin.
        progress: See ``check_data``.

    Raises:
        UserError: If the data, the detector or an option does not fit; nothing is written then.
    """
    if not name.isidentifier():
        raise UserError(f"--name {name}: letters, digits and _ only, as it names files and folders")
    shares = amounts_of(name, fractions, variations)
    for value in frozen:
        if value not in FROZEN_STAGES:
            raise UserError(f"--frozen {value}: -1 (nothing), 0 (the stem), 1 to 4 (stages)")
    for option, value in (("--epochs", epochs), ("--gpus", gpus), ("--evaluations", evaluations)):
        if value is not None and value < 1:
            raise UserError(f"{option} {value}: at least 1")
    if lr is not None and not lr > 0:
        raise UserError(f"--lr {lr:g}: above 0")
    cfg = read_base(base)
    from fzmm.detector_config.freezing import check_backbone

    check_backbone(cfg, base or "the recipe", frozen)
    report = check_data(
        train_ann,
        val_ann,
        train_images,
        val_images,
        allow_leak=allow_leak,
        progress=progress,
    )
    folder = Path(configs_dir or ROOT / "configs") / name
    subset_dir = Path(data_dir or Path("data") / name)
    amounts = [
        Amount(label, share, Path(train_ann) if share == 1 else subset_dir / f"{label}.json")
        for label, share in shares
    ]
    configs = make_configs(
        folder,
        name,
        cfg,
        report,
        amounts,
        base=base,
        frozen=frozen,
        epochs=epochs,
        gpus=gpus,
        evaluations=evaluations,
        lr=lr,
        scale=scale,
        depth=depth,
        pretrained=pretrained,
        command=command,
    )
    _refuse_other_files(configs, force)
    write_subsets(train_ann, subset_dir, amounts, seed, force)
    for path, text in configs.files.items():
        _write(path, text)
    return Study(report, configs, {amount.name: amount.ann_file for amount in amounts})


def read_base(base: str | None) -> Any:
    """Return the config that the detector comes from.

    Raises:
        UserError: If it cannot be read.
    """
    from mmengine.config import Config

    from fzmm.detector_config.step_time import quiet

    path = base or str(BASES / "coco100.py")
    if "::" not in path and not Path(path).is_file():
        raise UserError(
            f"--base {path}: no such config; MMDetection's are called mmdet::FOLDER/FILE"
        )
    try:
        with quiet():
            if "::" in path:
                from mmengine.hub import get_config

                cfg = get_config(path)
            else:
                cfg = Config.fromfile(path)
    except Exception as error:  # whatever a config file, which is a program, can raise
        reason = str(error).splitlines()[0] if str(error) else ""
        raise UserError(
            f"--base {path}: cannot be read: {type(error).__name__}: {reason}"
        ) from error
    for key in ("model", "train_dataloader", "optim_wrapper"):
        if key not in cfg:
            raise UserError(
                f"--base {path}: has no {key}; give the config of a detector's training"
            )
    return cfg


def write_subsets(
    train_ann: str | os.PathLike,
    folder: Path,
    amounts: Sequence[Amount],
    seed: int,
    force: bool = False,
) -> None:
    """Write the stratified subsets, unless the same ones are there."""
    parts = [amount for amount in amounts if amount.fraction < 1]
    if not parts:
        return
    if not force and _same_subsets(Path(train_ann), folder, parts, seed):
        return
    smallest = min(amount.fraction for amount in parts)
    varied = [amount.name for amount in parts if amount.fraction == smallest]
    make_subsets(
        train_ann,
        out_dir=folder,
        subsets=[f"{amount.name}={amount.fraction:g}" for amount in parts],
        disjoint=[",".join(varied)] if len(varied) > 1 else [],
        seed=seed,
        force=force,
    )


def _same_subsets(train_ann: Path, folder: Path, parts: Sequence[Amount], seed: int) -> bool:
    try:
        summary = json.loads((folder / "summary.json").read_bytes())
        source = file_sha256(train_ann)
        return (
            summary["source"]["sha256"] == source
            and summary["seed"] == seed
            and all(
                summary["subsets"][part.name]["fraction"] == part.fraction
                and summary["subsets"][part.name]["sha256"] == file_sha256(part.ann_file)
                for part in parts
            )
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _refuse_other_files(configs: StudyConfigs, force: bool) -> None:
    if force:
        return
    for path, text in configs.files.items():
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise UserError(f"{path}: is there already and differs; pass --force or another --name")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.write(text)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None
