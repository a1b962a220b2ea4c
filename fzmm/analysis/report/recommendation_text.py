"""``recommend``: the advice for each data amount and the learning curve, as a table or JSON."""

from __future__ import annotations

from pathlib import Path

from fzmm.analysis.conclusions.learning_curve import LearningCurve, learning_curve
from fzmm.analysis.conclusions.recommendation import Recommendation, recommend
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.report import more_data_text, text
from fzmm.analysis.report.report_table import Table, plain
from fzmm.analysis.report.summary_json import summarise_curve, summarise_recommendation, to_json
from fzmm.analysis.statistics.cohorts import cohorts


def advise(
    paths: list[str | Path],
    tolerance: float | None = None,
    as_json: bool = False,
    target_map: float | None = None,
) -> str:
    """Return the advice on some runs as text.

    Args:
        paths: Work directories, folders of them, or logs.
        tolerance: In mAP; the measured noise by default.
        as_json: Whether to write JSON.
        target_map: mAP whose price in data is asked for.
    """
    notes: list[str] = []
    groups = cohorts(read_runs(paths, notes))
    found = [
        (cohort, recommend(cohort, tolerance), learning_curve(cohort, target_map=target_map))
        for cohort in groups
    ]
    if as_json:
        data = {
            "schema": 1,
            "cohorts": [
                {
                    "label": cohort.label,
                    "recommendations": [summarise_recommendation(item) for item in items],
                    "learning_curve": summarise_curve(curve),
                }
                for cohort, items, curve in found
            ],
            "notes": notes,
        }
        return to_json(data).decode()
    parts = []
    for cohort, items, curve in found:
        parts.append(cohort.label)
        if items:
            parts.append(plain(_table(items)) + _noise_line(items[0]))
        else:
            parts.append(
                "no recommendation: it needs finished runs of two freezing scenarios on the same "
                "data"
            )
        parts += _curve_lines(curve)
        parts.append("")
    parts += [f"note: {note}" for note in notes]
    return "\n".join(parts).rstrip() + "\n"


def _table(items: list[Recommendation]) -> Table:
    table = Table(
        "recommendations",
        "Recommendations",
        "",
        [
            "data",
            "frozen_stages",
            "best mAP",
            "below highest",
            "time",
            "memory",
            "parameters",
            "stop at iteration",
            "loses by going on",
        ],
    )
    for item in items:
        share = f" ({text.percent(item.stop_share)})" if item.stop_share else ""
        table.rows.append(
            [
                item.amount.name,
                f"{item.frozen_stages} ({item.scenario})",
                text.map_(item.best_map.value),
                text.points(item.lost.value),
                text.percent(item.time_ratio),
                text.percent(item.memory_ratio),
                text.percent(item.parameter_ratio),
                f"{item.stop_at:,}{share}",
                text.points(item.lost_after),
            ]
        )
    return table


def _noise_line(item: Recommendation) -> str:
    line = "time, memory and trainable parameters against the unfrozen run; tolerance "
    line += text.points(item.tolerance)
    if item.noise.measured:
        return f"{line}, measured noise {text.points(item.noise.value)}"
    return f"{line}; noise unknown (no repeats), the thesis's 0.4 pp stands in"


def _curve_lines(curve: LearningCurve | None) -> list[str]:
    sentences = [more_data_text.verdict(curve)]
    if curve is not None:
        sentences += [more_data_text.observed(curve), more_data_text.target(curve)]
        gains = [f"{one.name} {text.points(one.gain.value, True)}" for one in curve.class_gains[:5]]
        sentences += [f"The classes that gained most: {', '.join(gains)}."] if gains else []
        sentences.append(more_data_text.basis(curve))
    return ["More data? " + " ".join(sentence for sentence in sentences if sentence)]
