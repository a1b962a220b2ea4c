"""How sure a recommendation is for the validation images that it was measured on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from fzmm.analysis.conclusions.recommendation import (
    LIKELY_STATUS,
    PROVISIONAL,
    SHOWN,
    Recommendation,
)
from fzmm.analysis.detections.run_detections import AmountDetections
from fzmm.analysis.statistics.estimates import Estimate
from fzmm.analysis.statistics.ranking import LIKELY

_ORDER = (SHOWN, LIKELY_STATUS)  # from the surest on; what is less sure stays as it is


@dataclasses.dataclass(frozen=True)
class ImageNoise:
    """What other validation images could have said, from a bootstrap over these.

    Attributes:
        images: Number of validation images.
        lost: Highest mAP minus that of the recommended scenario, with the percentiles of the
            paired draws as its interval.
        probability_within: Share of the draws in which the recommended scenario loses no more than
            the margin to the best.
        largest_loss: Upper 95% bound of that loss.
        deviation: Standard error of the recommended scenario's mAP itself.
        decides: Whether it is wider than what seeds say, so that the status follows it.
    """

    images: int
    lost: Estimate
    probability_within: float
    largest_loss: float
    deviation: float
    decides: bool


def with_images(
    recommendations: Sequence[Recommendation], amounts: Sequence[AmountDetections]
) -> list[Recommendation]:
    """Return the recommendations with the noise of images, where detections are kept."""
    known = {one.amount: one for one in amounts}
    return [
        _with_images(recommendation, known[recommendation.amount])
        if recommendation.amount in known
        else recommendation
        for recommendation in recommendations
    ]


def paired_difference(detections: AmountDetections, first: int, second: int) -> Estimate:
    """Return mAP(first) - mAP(second) with the 95% interval of the draws of images."""
    draws = detections.drawn[first] - detections.drawn[second]
    value = _map(detections, first) - _map(detections, second)
    # around the value itself: the draws count neighbouring detections together
    low, high = np.nanpercentile(draws - np.nanmean(draws), [2.5, 97.5]) + value
    images = len(detections.truth.image_ids)
    return Estimate(value, float(low), float(high), images, f"bootstrap over {images:,} images")


def _with_images(recommendation: Recommendation, detections: AmountDetections) -> Recommendation:
    chosen, top = recommendation.trainable, recommendation.top_trainable
    if not {chosen, top} <= detections.drawn.keys():
        return recommendation
    others = [draws for k, draws in detections.drawn.items() if k != chosen]
    loss = np.max(others, axis=0) - detections.drawn[chosen]
    loss = loss[np.isfinite(loss)]
    largest = max(float(np.quantile(loss, 0.95)), 0.0)
    noise = ImageNoise(
        images=len(detections.truth.image_ids),
        lost=paired_difference(detections, top, chosen) if top != chosen else Estimate(0.0),
        probability_within=float(np.mean(loss <= recommendation.margin + 1e-12)),
        largest_loss=largest,
        deviation=float(np.nanstd(detections.drawn[chosen], ddof=1)),
        decides=largest > (recommendation.largest_loss or 0.0),
    )
    status = _weaker(recommendation, noise) if noise.decides else recommendation.status
    return dataclasses.replace(recommendation, status=status, image_noise=noise)


def _weaker(recommendation: Recommendation, noise: ImageNoise) -> str:
    if recommendation.status not in _ORDER:
        return recommendation.status
    if noise.largest_loss <= recommendation.margin:
        return recommendation.status
    return LIKELY_STATUS if noise.probability_within >= LIKELY else PROVISIONAL


def _map(detections: AmountDetections, trainable: int) -> float:
    return float(np.nanmean(detections.mean(trainable, "class_ap")))
