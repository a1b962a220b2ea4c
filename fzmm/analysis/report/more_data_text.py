"""What is said about more data: the same sentences on the page, in the terminal and in JSON."""

from __future__ import annotations

import math

from fzmm.analysis.conclusions import learning_curve as curves
from fzmm.analysis.conclusions.learning_curve import DataForTarget, LearningCurve
from fzmm.analysis.report import formats

_OBSTACLES = {
    curves.TWO_SIZES: "two data amounts do not tell how the curve flattens; a third would",
    curves.NO_RISE: "the last step brought no gain, which may be noise or a plateau",
    curves.BOUND: "the points flatten or rise as no law of growth does",
    curves.NO_NOISE: "the noise is unknown, as no scenario was run with a second seed",
    curves.CONTRADICTED: "no law of growth fits the points",
}


def verdict(curve: LearningCurve | None) -> str:
    """Answer whether twice the data would help, in one sentence."""
    if curve is None:
        return "Cannot be told from one data amount: that needs finished runs on two or more."
    if curve.gain is None:
        return f"Cannot be told: {_OBSTACLES[curve.obstacle]}."

    gain = f"{formats.points(curve.gain.value, True)} ({formats.interval(curve.gain)})"
    size = _size(curve, 2 * curve.largest)
    predicted = f"twice the data{size} is predicted to give {gain} at equal iterations"
    margin = f"the margin of {formats.points(curve.margin)}"
    if curve.verdict == curves.YES:
        return f"Yes: {predicted}, more than {margin}."
    if curve.verdict == curves.NO:
        return f"No: {predicted}, less than {margin}."
    return f"Cannot be told: {predicted}, which may be more or less than {margin}. {_tells(curve)}"


def observed(curve: LearningCurve) -> str:
    """Say what the last step of data brought."""
    below, top = curve.last_two
    gain = formats.points(curve.observed.value, True)
    sentence = f"From {below.label} to {top.label} the best mAP changed by {gain}"
    if not curve.observed.known:
        return f"{sentence}; without repeats there is no interval."
    shown = "" if curve.observed.excludes_zero else ", no difference is shown"
    return f"{sentence} ({formats.interval(curve.observed)}{shown})."


def basis(curve: LearningCurve) -> str:
    """Say what is compared, and what a prediction rests on."""
    equal = "All of it is at equal iterations: twice the data is seen half as often."
    if curve.left_out:
        names = ", ".join(
            f"{point.label} ({point.trainable} trainable)" for point in curve.left_out
        )
        equal += f" Scenarios that not every data amount has do not count: the best on {names}."
    if curve.prediction is None:
        return equal
    noise = "measured noise" if curve.noise.measured else "the thesis’s noise, as ours is unknown"
    laws = " and ".join(filter(None, [", ".join(curve.laws[:-1]), curve.laws[-1]]))
    return f"The interval holds those of {laws} with {noise}. {equal}"


def target(curve: LearningCurve) -> str:
    """Say how much data the wanted mAP takes; empty where none was asked for."""
    if curve.target_map is None:
        return ""
    wanted = f"{formats.map_(curve.target_map)} mAP"
    answer = curve.data_for(curve.target_map)
    if answer is None:
        return f"{wanted}: cannot be told, as there is no prediction."
    if answer.reached:
        return f"{wanted}: reached with {_amount(curve, answer.low)}."
    return f"{wanted}: {_range(curve, answer)}."


def class_gains(curve: LearningCurve) -> str:
    """Name the classes that gained most; empty where the logs do not tell AP by class."""
    gains = [f"{one.name} {formats.points(one.gain.value, True)}" for one in curve.class_gains[:5]]
    return f"The classes that gained most: {', '.join(gains)}." if gains else ""


def _range(curve: LearningCurve, answer: DataForTarget) -> str:
    if math.isinf(answer.low):
        return "no law that fits the points reaches it"
    far = "four times the data at hand, beyond which no extrapolation can be trusted"
    if answer.low > answer.limit:
        return f"more than {_amount(curve, answer.limit)}, {far}"
    low = _amount(curve, answer.low)
    if math.isinf(answer.high):
        return f"{low} at least; a law that fits the points too never reaches it"
    if answer.high > answer.limit:
        return f"{low} at least, and perhaps more than {_amount(curve, answer.limit)}, {far}"
    return f"between {low} and {_amount(curve, answer.high)}"


def _tells(curve: LearningCurve) -> str:
    size = curve.size_that_tells()
    if size is None:
        return "Not even four times the data would tell with as many runs."
    return f"Runs on {_amount(curve, size)} would tell."


def _amount(curve: LearningCurve, size: float) -> str:
    """Write a size, to the two digits that an extrapolation can claim at most."""
    if curve.unit != "images":
        return f"{formats.percent(float(f'{size:.2g}'))} of the data at hand"
    if any(size == point.size for point in curve.points):
        return f"{size:,.0f} images"
    return f"{float(f'{size:.2g}'):,.0f} images"


def _size(curve: LearningCurve, size: float) -> str:
    return f" ({size:,.0f} images)" if curve.unit == "images" else ""
