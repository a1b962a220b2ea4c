"""What `answer_cost.py` takes for true: the set-ups of a study, and how each of their runs goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _studies import AMOUNTS, SHAPES, thesis_curves, truth_of

from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics.cohorts import cohorts
from fzmm.analysis.statistics.noise import best_map, best_map_noise
from fzmm.engine.hooks.overfit_stop_hook import MARGIN, PATIENCE, only_overfits

TRAIN_SPLIT = 5_000  # images at most, as configs/_base_/runtime.py has it
COCO_VAL, COCO_BATCH = 5_000, 8  # validation images; images an iteration in configs/fz


@dataclass(frozen=True)
class Curve:
    """How one training goes.

    Attributes:
        evaluations: How often it is evaluated.
        stops_after: After how many of these `OverfitStopHook` ends it.
        stopped_share: The share of the schedule until then.
        lost: Best mAP of the whole run minus that until then.
    """

    evaluations: int
    stops_after: int
    stopped_share: float
    lost: float


@dataclass(frozen=True)
class SetUp:
    """One scenario on one data amount.

    Attributes:
        frozen_stages: The backbone's own number.
        best_map: What its runs reach on average.
        images: Training images that a run sees, iterations times batch.
        split_images: Images of the training split that are evaluated beside the validation.
        curves: How its runs go, each as likely as the others.
    """

    frozen_stages: int
    best_map: float
    images: int
    split_images: int
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class StudyTruth:
    """What is true of a study.

    Attributes:
        name: Its shape, or the folder that it was read from.
        sigma: Standard deviation of the best mAP between seeds.
        val_images: Images of a validation.
        set_ups: For each data amount its scenarios by trainable stages, the fewest first.
    """

    name: str
    sigma: float
    val_images: int
    set_ups: tuple[tuple[SetUp, ...], ...]

    @property
    def best_maps(self) -> list[np.ndarray]:
        """Best mAP of the scenarios of each data amount."""
        return [np.array([one.best_map for one in row]) for row in self.set_ups]


def simulated(shape: str, sigma: float) -> StudyTruth:
    """Return a truth of ``_studies.py``, whose runs rise and fall as the thesis's did."""
    rows = [
        tuple(
            SetUp(4 - k, float(best), steps[-1] * COCO_BATCH, TRAIN_SPLIT, (curve,))
            for k, best in enumerate(row)
            for steps, curve in [_thesis_curve(amount, k)]
        )
        for amount, row in zip(AMOUNTS, truth_of(shape), strict=True)
    ]
    return StudyTruth(shape, sigma, COCO_VAL, tuple(rows))


def _thesis_curve(amount: str, k: int) -> tuple[Sequence[int], Curve]:
    steps, values, train, decay = thesis_curves(amount, k)
    return steps, curve_of(steps, values, train, decay)


def of_runs(folder: Path, sigmas: Sequence[float]) -> list[StudyTruth]:
    """Return what the runs of a study say: means as truth, pooled noise, each run's own curve.

    Args:
        folder: Work directories.
        sigmas: Noise to assume where no set-up has two runs, one truth for each.

    Raises:
        SystemExit: If no two scenarios were run on the same data.
    """
    cohort = cohorts(read_runs([folder]))[0]
    noise, val_images = best_map_noise(cohort), cohort.first.val.images
    rows = [cohort.cells(amount) for amount in cohort.amounts]
    rows = tuple(tuple(map(_set_up, cells.values())) for cells in rows if len(cells) > 1)
    if not rows or not val_images:
        raise SystemExit(f"error: {folder}: needs two scenarios on the same, known images")
    if noise is not None and noise.measured:
        return [StudyTruth(folder.name, noise.deviation, val_images, rows)]
    return [StudyTruth(f"{folder.name}, assumed noise", s, val_images, rows) for s in sigmas]


def _set_up(runs: Sequence[Run]) -> SetUp:
    first, schedule = runs[0], runs[0].schedule
    return SetUp(
        frozen_stages=first.frozen_stages,
        best_map=float(np.mean([best_map(run) for run in runs])),
        images=first.max_iterations * (schedule.batch_size or 1) * (schedule.world_size or 1),
        split_images=min(TRAIN_SPLIT, first.train.images or TRAIN_SPLIT),
        curves=tuple(_curve_of_run(run) for run in runs),
    )


def _curve_of_run(run: Run) -> Curve:
    steps, values = run.curve()
    train_steps, train = run.curve("train_split/bbox_mAP")
    if not np.array_equal(steps, train_steps) or not run.milestones:
        return Curve(len(steps), len(steps), 1.0, 0.0)  # the hook would never stop it
    return curve_of(steps, values, train, run.milestones[0])


def curve_of(steps, values, train, decay: int) -> Curve:
    """Ask `OverfitStopHook`'s rule after each evaluation whether it ends the run.

    Args:
        steps: Iteration of each evaluation, the last one the schedule's end.
        values: Validation mAP.
        train: Training-split mAP.
        decay: Iteration of the first decay.
    """
    seen, end = [], len(steps)
    for i, row in enumerate(zip(values, train, strict=True)):
        if steps[i] > decay:
            seen.append(row)
        if only_overfits(max(values[: i + 1]), seen, PATIENCE, MARGIN):
            end = i + 1
            break
    lost = float(max(values) - max(values[:end]))
    return Curve(len(steps), end, float(steps[end - 1] / steps[-1]), lost)


def all_shapes(sigmas: Sequence[float]) -> list[StudyTruth]:
    """Return every simulated truth with each noise."""
    return [simulated(shape, sigma) for sigma in sigmas for shape in SHAPES]
