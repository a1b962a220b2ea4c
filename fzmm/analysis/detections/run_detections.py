"""What the kept detections of one run say, and those of a data amount's scenarios side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from fzmm.analysis.detections.average_precision import class_ap, mean_ap, precisions
from fzmm.analysis.detections.bootstrap import drawn_maps, image_copies
from fzmm.analysis.detections.error_kinds import error_costs
from fzmm.analysis.detections.ground_truth import GroundTruth, ground_truth
from fzmm.analysis.detections.matching import AREAS, Detections, in_order, match
from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics import measures
from fzmm.analysis.statistics.cohorts import Cohort, TrainingSet
from fzmm.datasets.sampling_error import FEW_BOXES
from fzmm.errors import UserError
from fzmm.predictions import FILE_NAME, read_predictions

_TOLERANCE = 0.005  # of a log's three digits, and of scores that were left out


@dataclasses.dataclass(frozen=True)
class RunDetections:
    """A run's detections and what follows from them.

    Attributes:
        run: The run.
        truth: The annotated boxes.
        detections: Of its best checkpoint.
        class_ap: AP of each class, shape (classes,).
        size_ap: mAP of small, medium and large boxes.
        curve_50: Mean precision over classes at 101 recalls, IoU 0.5.
        curve_75: The same at IoU 0.75.
        costs: What each kind of error costs, see ``error_kinds``.
        drawn: mAP in each draw of the validation images, shape (draws,).
    """

    run: Run
    truth: GroundTruth
    detections: Detections
    class_ap: np.ndarray
    size_ap: dict[str, float]
    curve_50: np.ndarray
    curve_75: np.ndarray
    costs: np.ndarray
    drawn: np.ndarray


@dataclasses.dataclass(frozen=True)
class AmountDetections:
    """The detections of one data amount's scenarios.

    Attributes:
        amount: The data amount.
        truth: The annotated boxes of the validation images.
        scenarios: Runs by number of trainable stages or an arm's key, two scenarios at least and
            one of stages among them.
        arms: Which keys are arms'.
    """

    amount: TrainingSet
    truth: GroundTruth
    scenarios: dict[int, list[RunDetections]]
    arms: frozenset[int] = frozenset()

    @property
    def reference(self) -> int:
        """The scenario that others are held against: the one that freezes least."""
        return max(self.scenarios.keys() - self.arms)

    @property
    def in_order(self) -> list[int]:
        """All scenarios: the one that freezes least first, the arms last."""
        stages = sorted(self.scenarios.keys() - self.arms, reverse=True)
        return stages + sorted(self.scenarios.keys() & self.arms)

    @property
    def others(self) -> list[int]:
        """All but the reference, in the same order."""
        return self.in_order[1:]

    @property
    def most_frozen(self) -> int:
        """The scenario that freezes most, or the first arm where one alone freezes stages."""
        fewest = min(self.scenarios.keys() - self.arms)
        return self.others[0] if fewest == self.reference else fewest

    @property
    def runs(self) -> list[Run]:
        """All runs."""
        return [one.run for ones in self.scenarios.values() for one in ones]

    @property
    def few(self) -> np.ndarray:
        """Whether a class has too few boxes to say much of it, shape (classes,)."""
        return self.truth.counts < FEW_BOXES

    def mean(self, trainable: int, name: str) -> np.ndarray:
        """Return the mean over a scenario's runs of one of their arrays."""
        return np.mean([getattr(one, name) for one in self.scenarios[trainable]], axis=0)

    def change(self, trainable: int) -> np.ndarray:
        """Return how a scenario's AP of each class differs from the reference, (classes,)."""
        return self.mean(trainable, "class_ap") - self.mean(self.reference, "class_ap")

    @cached_property
    def drawn(self) -> dict[int, np.ndarray]:
        """Each scenario's mean mAP in each draw of the validation images."""
        return {k: self.mean(k, "drawn") for k in self.scenarios}


def detections_of(cohort: Cohort, notes: list[str]) -> list[AmountDetections]:
    """Read what the runs of a cohort have detected, for one data amount of each size.

    Args:
        cohort: Comparable runs.
        notes: Gets a line on what cannot be read.
    """
    kept = {
        amount: {k: _with_predictions(runs) for k, runs in cohort.all_cells(amount).items()}
        for amount in cohort.main_amounts
    }
    kept = {
        amount: {k: runs for k, runs in cells.items() if runs} for amount, cells in kept.items()
    }
    if not any(_can_compare(cells, cohort) for cells in kept.values()):
        return []
    val = cohort.first.val
    try:
        truth = ground_truth(val.ann_file or "the validation file", val.sha256)
    except UserError as error:
        notes.append(f"no classes, sizes and kinds of errors are shown: {error}")
        return []

    if not truth.counts.any():
        notes.append(f"no classes and sizes are shown: {val.ann_file} holds no box")
        return []
    copies = image_copies(len(truth.image_ids))
    result = []
    for amount, cells in kept.items():
        scenarios = {
            k: [one for run in runs if (one := _read(run, truth, copies, notes)) is not None]
            for k, runs in cells.items()
        }
        scenarios = {k: ones for k, ones in scenarios.items() if ones}
        if _can_compare(scenarios, cohort):
            result.append(AmountDetections(amount, truth, scenarios, frozenset(cohort.arms)))
    return result


def judge(run: Run, detections: Detections, truth: GroundTruth, copies) -> RunDetections:
    """Work out what a run's detections say."""
    whole = match(detections, truth)
    at_recalls = precisions(detections, whole, truth)
    sizes = {}
    for area in list(AREAS)[1:]:
        of_area = precisions(detections, match(detections, truth, area), truth)
        sizes[area] = mean_ap(class_ap(of_area))
    known = at_recalls[:, :, np.isfinite(at_recalls[0, 0])]
    curves = known.mean(axis=2) if known.shape[2] else np.zeros(known.shape[:2])
    return RunDetections(
        run=run,
        truth=truth,
        detections=detections,
        class_ap=class_ap(at_recalls),
        size_ap=sizes,
        curve_50=curves[0],
        curve_75=curves[5],
        costs=error_costs(detections, whole, truth),
        drawn=drawn_maps(detections, whole, truth, copies),
    )


def _can_compare(scenarios: Mapping[int, list], cohort: Cohort) -> bool:
    return len(scenarios) > 1 and bool(scenarios.keys() - cohort.arms.keys())


def _with_predictions(runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if (run.folder / FILE_NAME).is_file()]


def _read(run: Run, truth: GroundTruth, copies, notes: list[str]) -> RunDetections | None:
    try:
        predictions = read_predictions(run.folder)
    except UserError as error:
        notes.append(str(error))
        return None
    judged = judge(run, in_order(predictions, truth), truth, copies)
    kept, logged = mean_ap(judged.class_ap), measures.best(run)
    if logged is not None and abs(kept - logged.value) > _TOLERANCE:
        notes.append(
            f"{run.name}: its kept predictions have an mAP of {100 * kept:.1f}%, its log says "
            f"{100 * logged.value:.1f}%; fzmm test --save-predictions makes them again"
        )
    return judged
