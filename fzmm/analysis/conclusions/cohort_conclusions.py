"""All that is concluded from one cohort, worked out once for page, figures and JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from fzmm.analysis.conclusions.findings import findings
from fzmm.analysis.conclusions.findings.claims import Finding
from fzmm.analysis.conclusions.image_noise import with_images
from fzmm.analysis.conclusions.learning_curve import LearningCurve, learning_curve
from fzmm.analysis.conclusions.longer_schedule import recommend_each
from fzmm.analysis.conclusions.next_runs import MARGIN
from fzmm.analysis.conclusions.recommendation import Recommendation
from fzmm.analysis.conclusions.shorter_study import ShorterStudy, shorter_studies
from fzmm.analysis.detections.run_detections import AmountDetections, detections_of
from fzmm.analysis.statistics.class_counts import ClassCounts, class_counts
from fzmm.analysis.statistics.cohorts import Cohort


@dataclass(frozen=True)
class CohortConclusions:
    """A cohort and what follows from it.

    Attributes:
        cohort: The comparable runs.
        other_cohorts: The other cohorts read with it, where runs from scratch are looked for.
        recommendations: The recommendation for each data amount.
        learning_curve: The learning curve; None with one data amount.
        findings: The thesis's five findings, tested.
        shorter: How short the study could have been, for each data amount.
        detections: What runs have detected, for one data amount of each size, where it is kept.
        notes: What of it could not be read.
    """

    cohort: Cohort
    other_cohorts: tuple[Cohort, ...]
    recommendations: list[Recommendation]
    learning_curve: LearningCurve | None
    findings: list[Finding]
    shorter: list[ShorterStudy]
    detections: list[AmountDetections] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @cached_property
    def class_counts(self) -> tuple[ClassCounts | None, list[str]]:
        """Class counts of the annotation files, read when first asked for."""
        return class_counts(self.cohort)


def conclude(
    groups: list[Cohort], margin: float = MARGIN, target_map: float | None = None
) -> list[CohortConclusions]:
    """Draw the conclusions of each cohort.

    Args:
        groups: All cohorts that were read.
        margin: Loss or gain of mAP that does not matter.
        target_map: mAP whose price in data is asked for.
    """
    result = []
    advice = recommend_each(groups, margin)
    for cohort, recommendations in zip(groups, advice, strict=True):
        notes: list[str] = []
        detections = detections_of(cohort, notes)
        others = tuple(other for other in groups if other is not cohort)
        result.append(
            CohortConclusions(
                cohort=cohort,
                other_cohorts=others,
                recommendations=with_images(recommendations, detections),
                learning_curve=learning_curve(cohort, margin, target_map),
                findings=findings(cohort, list(others)),
                shorter=shorter_studies(cohort, margin),
                detections=detections,
                notes=notes,
            )
        )
    return result
