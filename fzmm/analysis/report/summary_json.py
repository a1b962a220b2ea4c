"""The report as data: what ``summary.json`` and ``recommend --json`` hold."""

from __future__ import annotations

import math
from typing import Any

import orjson

from fzmm.analysis.report import more_data_text
from fzmm.analysis.report.report_table import Cell, text_of
from fzmm.analysis.report.runs_csv import run_row
from fzmm.analysis.statistics.estimates import Estimate
from fzmm.scenarios import frozen_stages


def to_json(data: Any) -> bytes:
    """Write data as JSON: NaN as null, and text that is not Unicode (file names) with ``?``."""
    return (
        orjson.dumps(_unicode(data), option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY)
        + b"\n"
    )


def _unicode(data: Any) -> Any:
    if isinstance(data, str):
        return data.encode("utf-8", "replace").decode()
    if isinstance(data, dict):
        return {_unicode(str(key)): _unicode(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_unicode(value) for value in data]
    return data


def summarise_report(report) -> dict[str, Any]:
    """Return all that a report says as data."""
    return {
        "schema": 1,
        "cohorts": [summarise_section(section) for section in report.sections],
        "runs": [run_row(run) for run in report.runs],
        "notes": report.notes,
    }


def estimate(value: Estimate | None) -> dict[str, Any] | None:
    """Return an estimate as data."""
    if value is None:
        return None
    return {
        "value": value.value,
        "low": value.low,
        "high": value.high,
        "n": value.n,
        "method": value.method,
    }


def summarise_recommendation(item) -> dict[str, Any]:
    """Return a recommendation as data; mAP as fractions, times in seconds."""
    return {
        "data_amount": item.amount.name,
        "frozen_stages": item.frozen_stages,
        "trainable_stages": item.trainable,
        "scenario": item.scenario,
        "best_map": estimate(item.best_map),
        "highest": {
            "trainable_stages": item.top_trainable,
            "best_map": estimate(item.top_map),
        },
        "below_highest": estimate(item.lost),
        "tolerance": item.tolerance,
        "noise": {"value": item.noise.value, "measured": item.noise.measured},
        "training_seconds": item.time,
        "training_time_vs_unfrozen": item.time_ratio,
        "memory_vs_unfrozen": item.memory_ratio,
        "trainable_parameters_vs_unfrozen": item.parameter_ratio,
        "stop_at_iteration": item.stop_at,
        "stop_at_share": item.stop_share,
        "lost_by_training_on": item.lost_after,
        "scenarios_compared": [frozen_stages(k) for k in item.compared],
        "runs": [run.name for run in item.runs],
    }


def summarise_curve(curve) -> dict[str, Any] | None:
    """Return a learning curve as data."""
    if curve is None:
        return None
    return {
        "unit": curve.unit,
        "points": [
            {
                "size": point.size,
                "label": point.label,
                "best_map": estimate(point.value),
                "trainable_stages": point.trainable,
                "runs": [run.name for run in point.runs],
            }
            for point in curve.points
        ],
        "verdict": curve.verdict,
        "margin": curve.margin,
        "laws": [
            {"name": fit.law.name, "a": fit.level[0], "b": fit.rise[0], "rate": fit.rate[0]}
            for fit in (curve.prediction.fits if curve.prediction else ())
        ],
        "gain_of_twice_the_data": estimate(curve.gain),
        "observed_last_step": estimate(curve.observed),
        "obstacle": curve.obstacle or None,
        "size_that_tells": curve.size_that_tells(),
        "target": _target(curve),
        "class_gains": [
            {"class": gain.name, "gain": estimate(gain.gain)} for gain in curve.class_gains
        ],
        "note": " ".join(_curve_sentences(curve)),
    }


def _curve_sentences(curve) -> list[str]:
    parts = (more_data_text.verdict, more_data_text.observed, more_data_text.target)
    return [sentence for part in parts if (sentence := part(curve))]


def _target(curve) -> dict[str, Any] | None:
    answer = curve.data_for(curve.target_map) if curve.target_map is not None else None
    if answer is None:
        return None
    return {
        "map": answer.target,
        "reached": answer.reached,
        "low": answer.low if math.isfinite(answer.low) else None,
        "high": answer.high if math.isfinite(answer.high) else None,
        "trusted_up_to": answer.limit,
    }


def summarise_section(section) -> dict[str, Any]:
    """Return a cohort's part of the report as data."""
    conclusions = section.conclusions
    return {
        "label": conclusions.cohort.label,
        "recommendations": [summarise_recommendation(item) for item in conclusions.recommendations],
        "learning_curve": summarise_curve(conclusions.learning_curve),
        "findings": [
            {
                "number": finding.number,
                "statement": finding.statement,
                "verdict": finding.verdict,
                "parts": [
                    {
                        "claim": part.claim,
                        "verdict": part.verdict,
                        "effect": part.effect,
                        "runs": [run.name for run in part.runs],
                    }
                    for part in finding.parts
                ],
            }
            for finding in conclusions.findings
        ],
        "tables": {
            f"{section.prefix}{table.key}": {
                "title": table.title,
                "reference": table.reference or None,
                "columns": table.columns,
                "rows": [[text_of(cell) for cell in row] for row in table.rows],
                "thesis": [
                    [cell.thesis or None if isinstance(cell, Cell) else None for cell in row]
                    for row in table.rows
                ],
            }
            for table in section.tables
        },
    }
