"""What is known of one training run: what every table, figure and recommendation reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fzmm.analysis.reading.log import Log
from fzmm.provenance import tells_divergence
from fzmm.scenarios import UNFROZEN, trainable_stages


@dataclass(frozen=True)
class Dataset:
    """An annotation file as far as it is known; None is unknown.

    Attributes:
        ann_file: Path as the run's config gives it, ``data_root`` put before it.
        sha256: Checksum of the file's bytes.
        images: Images in it.
        annotations: Annotations in it.
        categories: Number of classes.
        image_folder: What the file's image names begin at.
        palette: Colours of the classes that the config gives, red, green and blue.
    """

    ann_file: str | None = None
    sha256: str | None = None
    images: int | None = None
    annotations: int | None = None
    categories: int | None = None
    image_folder: str | None = None
    palette: tuple[tuple[int, int, int], ...] | None = None

    @property
    def identity(self) -> str | None:
        """What tells two datasets apart: the checksum, else the path, else None (unknown)."""
        return self.sha256 or self.ann_file


@dataclass(frozen=True)
class TrainingSchedule:
    """What must be equal for two runs to be comparable, as far as it is known; None is unknown.

    Attributes:
        length: Iterations, or epochs where ``by_epoch``.
        by_epoch: Whether the loop counts epochs.
        milestones: Where the learning rate decays, in iterations or epochs; empty for no decay.
        milestones_by_epoch: The unit of ``milestones``.
        gamma: Factor of a decay.
        learning_rate: Base learning rate.
        optimizer: Class name.
        batch_size: Images an iteration on one device.
        world_size: Devices.
        amp: Whether mixed precision is on.
        other: Names of further schedulers, e.g. a cosine one.
    """

    length: int | None = None
    by_epoch: bool | None = None
    milestones: tuple[int, ...] | None = None
    milestones_by_epoch: bool = False
    gamma: float | None = None
    learning_rate: float | None = None
    optimizer: str | None = None
    batch_size: int | None = None
    world_size: int | None = None
    amp: bool | None = None
    other: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self == TrainingSchedule():
            return "unknown schedule"
        unit = {True: "epochs", False: "iterations", None: "steps"}[self.by_epoch]
        parts = [f"{self.length:,} {unit}" if self.length else "unknown length"]
        if self.optimizer or self.learning_rate is not None:
            rate = "" if self.learning_rate is None else f" at {self.learning_rate:g}"
            parts.append(f"{self.optimizer or 'unknown optimizer'}{rate}")
        if self.milestones:
            where = " and ".join(f"{value:,}" for value in self.milestones)
            unit = "epoch" if self.milestones_by_epoch else "iteration"
            parts.append(f"× {self.gamma or 0.1:g} after {unit} {where}")

        parts += self.other
        if self.batch_size:
            devices = " on each device"
            if self.world_size:
                devices = f" × {self.world_size} device{'s' if self.world_size > 1 else ''}"
            parts.append(f"{self.batch_size} images{devices}")
        if self.amp:
            parts.append("mixed precision")

        return ", ".join(parts)


@dataclass(frozen=True)
class LoadedDetector:
    """What a run took from the checkpoint of a whole detector, as its record says.

    Attributes:
        checkpoint: The file, address or config that it was given as.
        sha256: Checksum of the file.
        loaded: Tensors that were loaded, of ``tensors``.
        tensors: Tensors of the run's detector.
        numbers: Numbers in the loaded tensors.
        other_shape: Name, shape in the checkpoint and shape in the detector of what was left out.
        unused: Number of tensors in each module of the checkpoint that the detector does not have.
    """

    checkpoint: str
    sha256: str | None = None
    loaded: int | None = None
    tensors: int | None = None
    numbers: int | None = None
    other_shape: tuple[tuple[str, str, str], ...] = ()
    unused: tuple[tuple[str, int], ...] = ()


@dataclass
class Run:
    """One training run, from its first start to its last. None stands for unknown everywhere.

    Attributes:
        name: Unique among the runs read together.
        folder: Work directory.
        config: Name of the config file without ``.py``.
        config_path: The config file, where provenance tells it.
        dataset: Name of the dataset that is studied, e.g. ``coco``.
        data_amount: Name of the subset, e.g. ``coco25-1``.
        fraction: Its share of the full training images.
        train: Training annotation file.
        val: Validation annotation file.
        model: Detector, backbone and neck, e.g. ``FasterRCNN ResNet-50 FPN``.
        frozen_stages: MMDetection's number, -1 to 4 for a ResNet.
        recorded_trainable: Trainable stages as the study recorded them, for backbones that count
            otherwise than a ResNet.
        arm: Name of a scenario beside the freezing ones, such as ``lr01``; None for these.
        arm_does: What that arm does, as its config says.
        stages: Trainable stages with nothing frozen: 5 for a ResNet, the stem being one.
        initialisation: Checkpoint that the backbone (or model) starts from, or ``scratch``.
        loaded: What came of a whole detector's checkpoint, if it started from one.
        seed: Random seed.
        rate: The learning rate by which its study names it; None where a study has one rate.
        rate_search: Share of the schedule of a run that only looks for a scenario's rate.
        schedule: The training schedule.
        metric: Key of the validation metric that the run is judged by, e.g. ``coco/bbox_mAP``.
        log: Training and validation rows of all starts, merged.
        milestones: Iterations after which the learning rate decays.
        max_iterations: Length of the schedule in iterations.
        finished: Whether the run ended as it was meant to.
        stop_reason: Why it ended early.
        times_not_comparable: Why its times say nothing; None where they do.
        trainable_parameters: Number of parameters with gradients.
        frozen_parameters: Number of those without.
        frozen_modules: Names of the largest modules that are frozen; None is unknown.
        peak_memory_mb: Peak of training in MiB: allocated on the GPU, on a CPU the resident set.
        starts: What is known of each start: ``started``, ``command``, ``versions``, ``devices`` ...
        notes: What a reader should know about this run.
        digest: Checksum of the curves that were logged, to tell a copy from a repeat.
        duplicate_of: Name of the run that counts in its place: a copy, or the same config and seed.
    """

    name: str
    folder: Path
    config: str | None = None
    config_path: str | None = None
    dataset: str | None = None
    data_amount: str | None = None
    fraction: float | None = None
    train: Dataset = Dataset()
    val: Dataset = Dataset()
    model: str | None = None
    frozen_stages: int | None = None
    recorded_trainable: int | None = None
    arm: str | None = None
    arm_does: str | None = None
    stages: int = UNFROZEN
    initialisation: str | None = None
    loaded: LoadedDetector | None = None
    seed: int | None = None
    rate: float | None = None
    rate_search: float | None = None
    schedule: TrainingSchedule = TrainingSchedule()
    metric: str | None = None
    log: Log | None = None
    milestones: tuple[int, ...] = ()
    max_iterations: int | None = None
    finished: bool | None = None
    stop_reason: str | None = None
    times_not_comparable: str | None = None
    trainable_parameters: int | None = None
    frozen_parameters: int | None = None
    frozen_modules: tuple[str, ...] | None = None
    peak_memory_mb: float | None = None
    starts: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    digest: str = ""
    duplicate_of: str | None = None

    @property
    def trainable(self) -> int | None:
        """The thesis's number of trainable stages, or None where it is unknown or an arm's."""
        if self.arm is not None:
            return None
        try:
            return trainable_stages(
                self.frozen_stages, {"trainable_stages": self.recorded_trainable}
            )
        except ValueError:
            return None

    @property
    def unfrozen(self) -> bool:
        """Whether nothing is frozen."""
        return self.trainable == self.stages

    @property
    def scenario(self) -> str | None:
        """``unfrozen``, ``frozen0`` ... ``frozen4`` or an arm's name; None where it is unknown."""
        if self.arm is not None:
            return self.arm
        if self.trainable is None:
            return None
        return "unfrozen" if self.unfrozen else f"frozen{self.frozen_stages}"

    @property
    def diverged(self) -> bool:
        """Whether it ended because its loss was no number any more."""
        return self.finished is False and tells_divergence(self.stop_reason)

    @property
    def from_scratch(self) -> bool:
        """Whether it is known that no pretrained weights were used."""
        return self.initialisation == "scratch"

    def curve(self, metric: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return iterations and finite values of a validation metric.

        Args:
            metric: Key of the metric; the run's own by default.

        Returns:
            Two arrays of shape (evaluations,); COCO's -1 for "no such objects" is left out.
        """
        values = self.log.evals.get(metric or self.metric) if self.log else None
        if values is None:
            return np.empty(0, dtype=np.int64), np.empty(0)
        valid = np.isfinite(values) & (values >= 0)
        return self.log.eval_steps[valid], values[valid]
