"""``recommend``: what to freeze on each data amount, and the learning curve, as text or JSON."""

from __future__ import annotations

from pathlib import Path

from fzmm.analysis.conclusions import missing_runs
from fzmm.analysis.conclusions.learning_curve import LearningCurve, learning_curve
from fzmm.analysis.conclusions.longer_schedule import recommend_each
from fzmm.analysis.conclusions.next_runs import MARGIN
from fzmm.analysis.conclusions.recommendation import Recommendation, StoppingPoint
from fzmm.analysis.reading.duplicates import left_out
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.report import formats, more_data_text
from fzmm.analysis.report.report_table import Table, plain
from fzmm.analysis.report.summary_json import summarise_curve, summarise_recommendation, to_json
from fzmm.analysis.report.words import words
from fzmm.analysis.statistics.cohorts import Cohort, cohorts
from fzmm.analysis.statistics.hardware import several_hardware


def recommendation_text(
    paths: list[str | Path],
    margin: float = MARGIN,
    as_json: bool = False,
    target_map: float | None = None,
) -> str:
    """Say what to freeze according to some runs.

    Args:
        paths: Work directories, folders of them, or logs.
        margin: Loss of mAP that does not matter.
        as_json: Whether to write JSON.
        target_map: mAP whose price in data is asked for.
    """
    notes: list[str] = []
    runs = read_runs(paths, notes)
    notes += left_out(runs)
    groups = cohorts(runs)
    conclusions = [
        (cohort, recommendations, learning_curve(cohort, margin, target_map))
        for cohort, recommendations in zip(groups, recommend_each(groups, margin), strict=True)
    ]
    return (_json if as_json else _text)(conclusions, notes)


def _json(conclusions: list[tuple], notes: list[str]) -> str:
    summaries = [
        {
            "label": cohort.label,
            "recommendations": [*map(summarise_recommendation, recommendations)],
            "learning_curve": summarise_curve(curve),
        }
        for cohort, recommendations, curve in conclusions
    ]
    return to_json({"schema": 1, "cohorts": summaries, "notes": notes}).decode()


def _text(conclusions: list[tuple], notes: list[str]) -> str:
    lines = []
    for cohort, recommendations, curve in conclusions:
        lines += [cohort.label, *_sentences(cohort, recommendations), *_curve_lines(curve), ""]
    lines += [f"note: {note}" for note in notes]
    return "\n".join(lines).rstrip() + "\n"


def _sentences(cohort: Cohort, recommendations: list[Recommendation]) -> list[str]:
    if not recommendations:
        return [
            "no recommendation: it needs finished runs of two freezing scenarios on the same data"
        ]

    ours = words("recommendation_words")
    sentence, arm_sentence = ours.sentence, ours.arm_sentence
    return [
        *(
            f"{recommendation.amount.name}: {sentence(recommendation)}"
            for recommendation in recommendations
        ),
        *(
            f"{recommendation.amount.name}, {arm_sentence(arm, recommendation)}"
            for recommendation in recommendations
            for arm in recommendation.arms.values()
        ),
        *(
            f"{recommendation.amount.name}, learning rates: "
            f"{words('rate_words').sentence(recommendation)}"
            for recommendation in recommendations
            if recommendation.rates
        ),
        "",
        plain(_table(recommendations)),
        *_devices_lines(cohort, recommendations),
        _noise_line(recommendations[0]),
        _next_line(cohort, recommendations),
    ]


def _table(recommendations: list[Recommendation]) -> Table:
    table = Table(
        "recommendations",
        "Recommendations",
        "",
        [
            "data",
            "frozen_stages",
            "trainable stages",
            "best mAP",
            "below highest",
            "time",
            "memory",
            "parameters",
            "stop at iteration",
            "as good from, to",
            "loses by going on",
            "noise alone",
        ],
    )

    for recommendation in recommendations:
        cost = recommendation.cost
        table.rows.append(
            [
                recommendation.amount.name,
                recommendation.scenario
                if recommendation.arm
                else f"{recommendation.frozen_stages} ({recommendation.scenario})",
                "arm"
                if recommendation.arm
                else f"{recommendation.trainable} of {recommendation.stages}",
                formats.map_(recommendation.best_map.value),
                formats.points(recommendation.lost.value),
                formats.percent(cost.time_ratio),
                formats.percent(cost.memory_ratio),
                formats.percent(cost.parameter_ratio),
                *_stop(recommendation.stop),
            ]
        )

    return table


def _stop(stop: StoppingPoint) -> list[str]:
    share = f" ({formats.percent(stop.share)})" if stop.share else ""
    return [
        f"{stop.iteration:,}{share}",
        f"{stop.earliest:,} to {stop.latest:,}",
        formats.points(stop.lost_after),
        formats.points(stop.by_noise),
    ]


def _devices_lines(cohort: Cohort, recommendations: list[Recommendation]) -> list[str]:
    """Say on which devices times were compared, where the runs come from several."""
    if not several_hardware(cohort.complete_runs):
        return []
    places = [
        f"{recommendation.amount.name} {recommendation.cost.hardware or 'none in common'}"
        for recommendation in recommendations
    ]
    return [f"times and memory compare only on equal devices: {'; '.join(places)}"]


def _noise_line(recommendation: Recommendation) -> str:
    line = "time, memory and trainable parameters against the unfrozen run; margin "
    line += formats.points(recommendation.margin)
    noise = recommendation.noise
    if noise is None:
        return f"{line}; noise unknown (no repeats)"
    size = formats.points(noise.deviation, digits=2)
    if noise.measured:
        freedom = formats.plural(noise.freedom, "degree")
        return (
            f"{line}; standard deviation between seeds {size} ({freedom} of freedom, "
            f"from {noise.source})"
        )
    return f"{line}; noise unknown (no repeats), the thesis's {size} stands in"


def _next_line(cohort: Cohort, recommendations: list[Recommendation]) -> str:
    if not any(recommendation.next_runs for recommendation in recommendations):
        return "next runs: none"
    return f"next runs: {missing_runs.until_decided(cohort, recommendations[0].margin)}"


def _curve_lines(curve: LearningCurve | None) -> list[str]:
    sentences = [more_data_text.verdict(curve)]
    if curve is not None:
        sentences += [more_data_text.observed(curve), more_data_text.target(curve)]
        sentences += [more_data_text.class_gains(curve), more_data_text.basis(curve)]
    return ["More data? " + " ".join(sentence for sentence in sentences if sentence)]
