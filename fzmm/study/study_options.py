"""The options of a study, from which the command line, the checks and the configs take them."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fzmm.errors import UserError
from fzmm.paths import command_line
from fzmm.schedules import EPOCHS
from fzmm.study.arms import read_arms
from fzmm.study.rates import read_rates

# The report sets studies of these names beside the thesis and the embedded digits.
RESERVED_NAMES = ("coco", "toy")
_MOST = 1_000_000  # of anything that is counted: passes, devices, pixels
PATHS = ("train_ann", "val_ann", "train_images", "val_images")


def _option(help: str, default: Any = dataclasses.MISSING, **arguments: Any) -> Any:
    """Return a field with what ``add_argument`` needs beside its name and default."""
    return dataclasses.field(default=default, metadata={"help": help, **arguments})


@dataclasses.dataclass(frozen=True)
class StudyOptions:
    """What a study is to be; each field is the option of the same name of new-study.

    Attributes:
        name: The study's name: of its folder, data amounts and configs.
        train_ann: Training annotations, COCO format.
        val_ann: Validation annotations.
        train_images: Folder of the training images.
        val_images: Folder of the validation images.
        data: Folder of the dataset, see ``fzmm.datasets.formats``; gives the four paths.
        classes: Class names of a YOLO folder.
        val_fraction: Share of the folder's images that becomes the validation part.
        group_by: Regular expression; images of whose name it captures the same stay on one side of
            the cut and within one of the subsets that share no image.
        fractions: Shares of the training images.
        variations: Subsets of the smallest fraction, which share no image.
        frozen: Scenarios, numbers of ``frozen_stages``; all that the backbone knows if None.
        arms: Scenarios beside the freezing ones, see ``fzmm.study.arms``.
        epochs: Passes over all training images; each data amount gets as many iterations.
        gpus: Devices of a run; with the config's images on each it makes the batch.
        base: Config of the detector; the project's Faster R-CNN ResNet-50 FPN by default. What
            ``Config.fromfile`` takes, ``mmdet::retinanet/retinanet_r50_fpn_1x_coco.py`` included.
        backbone: Backbone in place of the base's, by its name in
            ``fzmm.detector_config.backbones``.
        depth: Depth of the ResNet.
        pretrained: Checkpoint of the backbone, or ``"none"``.
        load_from: Checkpoint of a whole detector that every scenario starts from: a file, an
            address or a config of MMDetection's, ``mmdet::FOLDER/CONFIG.py``.
        scale: (width, height) that images are resized to; follows the data if None.
        evaluations: At most so many evaluations of a run; one a pass over its data if None.
        lr: Learning rate; the base's, in proportion to the batch, if None. Of several, every
            scenario is trained at each.
        no_val_loss: Leave out the losses on the validation images.
        seed: Of the subsets.
        configs_dir: Folder of the study's folder; ``configs`` by default.
        data_dir: Folder of the subsets and of converted annotations; ``data/<name>`` by default.
        no_images: Leave pictures out of the page of the data.
        allow_leak: Go on though validation images are in training too.
        force: Replace other files of the same names.

    Raises:
        UserError: If an option by itself cannot be.
    """

    name: str = _option("Name of the study, of its folder, its data amounts and its configs.")
    train_ann: str | os.PathLike | None = _option("Training annotations in COCO format.", None)
    val_ann: str | os.PathLike | None = _option("Validation annotations in COCO format.", None)
    train_images: str | os.PathLike | None = _option("Folder of the training images.", None)
    val_images: str | os.PathLike | None = _option("Folder of the validation images.", None)
    data: str | os.PathLike | None = _option(
        "Folder of COCO, YOLO or Pascal VOC data, in place of these four paths.",
        None,
        metavar="FOLDER",
    )
    classes: Sequence[str] | None = _option(
        "Class names of a YOLO folder that has none, in the order of their numbers.",
        None,
        nargs="+",
    )
    val_fraction: float | None = _option(
        "Share of the images to validate on, where the folder has no such part.", None, type=float
    )
    group_by: str | None = _option(
        "Keep images together of whose names this captures the same, as in '(patient[0-9]+)'.",
        None,
        metavar="REGEX",
    )
    fractions: Sequence[float] = _option(
        "Shares of the training images to train on (default: 1 0.5 0.25).",
        (1, 0.5, 0.25),
        nargs="+",
        type=float,
    )
    variations: int = _option(
        "How many subsets of the smallest share to cut (default: 3).", 3, type=int
    )
    frozen: Sequence[int] | None = _option(
        "Values of frozen_stages to try (default: all that the backbone knows).",
        None,
        nargs="+",
        type=int,
    )
    arms: Sequence[str] = _option(
        "Scenarios beside freezing stages: lr=0.1, decay=0.75, freeze=neck,rpn_head, release=0.5.",
        (),
        nargs="+",
        metavar="ARM",
    )
    epochs: int = _option(
        "How often a run sees all images (default: %(default)s).", EPOCHS, type=int
    )
    gpus: int = _option("GPUs of a run, which make its batch (default: 4).", 4, type=int)
    base: str | None = _option(
        "Config of the detector (default: Faster R-CNN, ResNet-50, FPN).", None
    )
    backbone: str | None = _option(
        "Backbone in place of the detector's own, such as resnet34 or vgg19.", None
    )
    depth: int | None = _option(
        "Depth of the ResNet (default: the config's).",
        None,
        type=int,
        choices=[18, 34, 50, 101, 152],
    )
    pretrained: str | None = _option("Checkpoint that the backbone starts from, or `none`.", None)
    load_from: str | None = _option(
        "Whole detector that every scenario starts from: a checkpoint, or mmdet::FOLDER/CONFIG.py.",
        None,
        metavar="CHECKPOINT",
    )
    scale: tuple[int, int] | None = _option(
        "Size that images are resized to (default: it follows the data).",
        None,
        nargs=2,
        type=int,
        metavar=("W", "H"),
    )
    evaluations: int | None = _option(
        "Most evaluations of a run (default: one each time it has seen its data).", None, type=int
    )
    lr: float | Sequence[float] | None = _option(
        "Learning rate, or several to try (default: the config's, in proportion to the batch).",
        None,
        nargs="+",
        type=float,
        metavar="RATE",
    )
    no_val_loss: bool = _option(
        "Leave out the losses on the validation images, which make a validation up to twice as "
        "long.",
        False,
    )
    seed: int = _option("Seed of the choice of subsets (default: 0).", 0, type=int)
    configs_dir: str | os.PathLike | None = _option(
        "Folder that the study's folder of configs is put into (default: configs).", None
    )
    data_dir: str | os.PathLike | None = _option(
        "Folder that the subsets are written to (default: data/NAME).", None
    )
    no_images: bool = _option(
        "Leave pictures out of data.html, for data that must not be copied.", False
    )
    allow_leak: bool = _option("Go on though validation images are in training too.", False)
    force: bool = _option("Replace a study of the same name.", False)

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise UserError(
                f"--name {self.name}: letters, digits and _ only, as it names files and folders"
            )
        if self.name in RESERVED_NAMES:
            raise UserError(
                f"--name {self.name}: that is a study of fzmm's own, and the report would take "
                "yours for it; choose another name"
            )

        self._check_data()
        for option in ("epochs", "gpus", "evaluations", "variations"):
            _require_positive(option, getattr(self, option))
        for side in self.scale or ():
            _require_positive("scale", side)
        for option in ("fractions", "frozen"):
            if getattr(self, option) is not None and not len(getattr(self, option)):
                raise UserError(f"--{option}: name at least one")

        read_arms(self.arms)
        read_rates(self.lr)
        if self.backbone and self.depth:
            raise UserError("--depth: with --backbone the name says it, such as resnet34")
        if self.load_from and self.pretrained:
            raise UserError("--pretrained: --load-from brings the backbone's weights; leave it out")

    @property
    def rates(self) -> list[float]:
        """The learning rates to try, ascending; empty for the base's own."""
        return read_rates(self.lr)

    @property
    def subsets_dir(self) -> Path:
        """Folder of the subsets and of converted annotations."""
        return Path(self.data_dir or Path("data") / self.name)

    def _check_data(self) -> None:
        missing = [_flag(name) for name in PATHS if getattr(self, name) is None]
        if self.data is None:
            if missing:
                raise UserError(f"{missing[0]}: is missing; give it, or --data FOLDER for all four")
            if self.classes or self.val_fraction is not None:
                option = "classes" if self.classes else "val_fraction"
                raise UserError(f"{_flag(option)}: goes with --data FOLDER only; leave it out")
        if self.val_fraction is not None and not 0 < self.val_fraction < 1:
            raise UserError(f"--val-fraction {self.val_fraction:g}: a share between 0 and 1")

    def command(self) -> str:
        """Return the command line that makes the same files."""
        words = command_line("new-study").split()
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in ("allow_leak", "force", "no_images") or value is None:
                continue
            if field.name in PATHS and self.data is not None:
                continue  # which the folder gives
            if field.default is dataclasses.MISSING or _words(value) != _words(field.default):
                words += [_flag(field.name), *_words(value)]
        return shlex.join(words)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each field of ``StudyOptions``."""
    for field in dataclasses.fields(StudyOptions):
        arguments: dict[str, Any] = dict(field.metadata)
        if field.default is dataclasses.MISSING:
            arguments["required"] = True
        elif field.default is False:
            arguments["action"] = "store_true"
        else:
            arguments["default"] = field.default
        parser.add_argument(_flag(field.name), **arguments)


def _require_positive(option: str, value: int | None) -> None:
    if value is not None and value < 1:
        raise UserError(f"--{option} {value}: at least 1")
    if value is not None and value > _MOST:
        raise UserError(f"--{option} {value}: at most {_MOST:,}")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _words(value: Any) -> list[str]:
    if value is True:  # the option itself says it
        return []
    if isinstance(value, list | tuple):
        return [word for element in value for word in _words(element)]
    if isinstance(value, float) and float(f"{value:g}") == value:
        return [f"{value:g}"]
    return [str(value)]
