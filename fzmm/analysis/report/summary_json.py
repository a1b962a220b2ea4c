"""The report as data: what ``summary.json`` and ``recommend --json`` hold."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import orjson

from fzmm.analysis.conclusions.findings.claims import Finding
from fzmm.analysis.conclusions.longer_schedule import LongerSchedule
from fzmm.analysis.conclusions.next_runs import NextRun
from fzmm.analysis.conclusions.recommendation import ArmResult, Recommendation
from fzmm.analysis.conclusions.shorter_study import ShorterStudy
from fzmm.analysis.reading.run import LoadedDetector
from fzmm.analysis.report import more_data_text
from fzmm.analysis.report.rates.rate_summary import summarise_rates
from fzmm.analysis.report.report_table import Cell, text_of
from fzmm.analysis.report.runs_csv import run_row
from fzmm.analysis.report.words import words
from fzmm.analysis.statistics import thesis
from fzmm.analysis.statistics.estimates import Estimate
from fzmm.analysis.statistics.noise import Noise


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


def _image_noise(noise) -> dict[str, Any] | None:
    if noise is None:
        return None
    return {
        "images": noise.images,
        "below_highest": estimate(noise.lost),
        "probability_within_margin": noise.probability_within,
        "largest_loss": noise.largest_loss,
        "best_map_standard_error": noise.deviation,
        "wider_than_seeds": noise.decides,
    }


def summarise_recommendation(recommendation) -> dict[str, Any]:
    """Return a recommendation as data; mAP as fractions, times in seconds."""
    return {
        "data_amount": recommendation.amount.name,
        "frozen_stages": recommendation.frozen_stages,
        "trainable_stages": recommendation.stages_of(recommendation.trainable),
        "stages": recommendation.stages,
        "scenario": recommendation.scenario,
        "best_map": estimate(recommendation.best_map),
        "highest": {
            "trainable_stages": recommendation.stages_of(recommendation.top_trainable),
            "scenario": recommendation.top_runs[0].scenario,
            "best_map": estimate(recommendation.top_map),
        },
        "below_highest": estimate(recommendation.lost),
        "tolerance": recommendation.margin,
        "margin": recommendation.margin,
        "status": recommendation.status,
        "validation_images": _image_noise(recommendation.image_noise),
        "probability_within_margin": recommendation.probability_within_margin,
        "largest_loss": recommendation.largest_loss,
        "safe_choice": recommendation.label(recommendation.safe_choice),
        "next_runs": [summarise_next_run(run) for run in recommendation.next_runs],
        "sentence": words("recommendation_words").sentence(recommendation),
        "noise": summarise_noise(recommendation.noise),
        "scenarios": summarise_ranking(recommendation),
        "arms": [summarise_arm(arm, recommendation) for arm in recommendation.arms.values()],
        "learning_rates": summarise_rates(recommendation),
        "schedule": summarise_schedule(recommendation),
        "training_seconds": recommendation.cost.time,
        "training_time_vs_unfrozen": recommendation.cost.time_ratio,
        "time_compared_on": recommendation.cost.hardware,
        "memory_vs_unfrozen": recommendation.cost.memory_ratio,
        "trainable_parameters_vs_unfrozen": recommendation.cost.parameter_ratio,
        "stop_at_iteration": recommendation.stop.iteration,
        "stop_range": [recommendation.stop.earliest, recommendation.stop.latest],
        "stop_at_share": recommendation.stop.share,
        "lost_by_training_on": recommendation.stop.lost_after,
        "lost_by_noise_alone": recommendation.stop.by_noise,
        "scenarios_compared": [recommendation.label(k) for k in recommendation.compared],
        "runs": [run.name for run in recommendation.runs],
    }


def summarise_noise(noise: Noise | None) -> dict[str, Any]:
    """Return the noise as data; ``value`` is the largest range over repeats."""
    if noise is None:
        return {"value": None, "measured": False, "deviation": None, "freedom": 0, "source": None}
    return {
        "value": thesis.LARGEST_RANGE if not noise.measured else noise.largest_range,
        "measured": noise.measured,
        "deviation": noise.deviation,
        "freedom": noise.freedom,
        "source": noise.source,
    }


def summarise_ranking(recommendation: Recommendation) -> list[dict[str, Any]]:
    """Return what is known of each scenario as data."""
    ranking = recommendation.ranking
    return [
        {
            "frozen_stages": recommendation.frozen[k],
            "trainable_stages": recommendation.stages_of(k),
            "arm": recommendation.arms[k].name if k in recommendation.arms else None,
            "runs": ranking.runs[k],
            "best_map": mean,
            "probability_within_margin": ranking.probability_within.get(k),
            "probability_best": ranking.probability_best.get(k),
            "largest_loss": ranking.largest_loss.get(k),
        }
        for k, mean in ranking.means.items()
    ]


def summarise_arm(arm: ArmResult, recommendation: Recommendation) -> dict[str, Any]:
    """Return what a scenario beside the freezing ones has come to, as data."""
    return {
        "name": arm.name,
        "does": arm.does,
        "best_map": estimate(arm.best_map),
        "against_frozen_stages": recommendation.frozen[arm.against],
        "gain": estimate(arm.gain),
        "training_time_vs_unfrozen": arm.time_ratio,
        "sentence": words("recommendation_words").arm_sentence(arm, recommendation),
        "runs": [run.name for run in arm.runs],
    }


def summarise_schedule(recommendation: Recommendation) -> dict[str, Any]:
    """Return what the ends of the curves say of the schedule's length as data."""
    schedule = recommendation.schedule
    return {
        "too_short": schedule.too_short,
        "still_rising": [recommendation.label(k) for k in schedule.still_rising],
        "rises_over_last_fifth": {
            recommendation.label(k): rise for k, rise in schedule.rises.items()
        },
        "uneven": schedule.uneven,
        "iterations_that_would_settle_it": schedule.enough if schedule.settles else None,
        "iterations_that_would_show_more": schedule.enough,
        "longer": summarise_longer(recommendation.longer),
        "leaders": [
            {"from_iteration": step, "frozen_stages": recommendation.label(k)}
            for step, k in schedule.leaders
        ],
    }


def summarise_longer(longer: LongerSchedule | None) -> dict[str, Any] | None:
    """Return what more iterations of the same training gave as data."""
    return longer and {
        "data_amount": longer.recommendation.amount.name,
        "iterations": longer.iterations,
        "frozen_stages": longer.recommendation.label(longer.recommendation.trainable),
        "gain": estimate(longer.gain),
    }


def summarise_next_run(run: NextRun) -> dict[str, Any]:
    """Return a run to make as data."""
    return {
        "data_amount": run.amount.name,
        "frozen_stages": run.frozen_stages,
        "arm": run.arm,
        "config": run.config,
        "seed": run.seed,
        "reason": run.reason,
        "probability": run.probability,
    }


def summarise_shorter(study: ShorterStudy) -> dict[str, Any]:
    """Return how short the study could have been on one data amount as data."""
    one = study.one_seed
    return {
        "data_amount": study.amount.name,
        "frozen_stages": study.frozen[study.trainable],
        "parts_of_the_schedule": [
            {
                "share": part.share,
                "until_iteration": part.until,
                "frozen_stages": study.frozen[part.trainable],
                "same": part.trainable == study.trainable,
                "lost": part.lost,
                "learning_rate_had_decayed": part.decayed,
            }
            for part in study.parts
        ],
        "one_seed": {"ways": one.ways, "same": one.same, "within_margin": one.within}
        if one
        else None,
        "answer_stands_from": study.choice_from,
        "highest_stands_from": study.leader_from,
        "order_stands_from": study.order_from,
        "last_evaluation": study.last,
        "gains_at_end": list(study.gains_at_end),
        "sentence": words("shorter_words").sentence(study),
        "runs": [run.name for run in study.runs],
    }


def summarise_finding(finding: Finding) -> dict[str, Any]:
    """Return a finding as data: its words, and for each claim the numbers behind its verdict."""
    finding_words = words("finding_words")
    return {
        "number": finding.number,
        "statement": finding_words.STATEMENTS[finding.number],
        "verdict": finding.verdict,
        "parts": [
            {
                "key": claim.key,
                "claim": finding_words.CLAIMS[claim.key],
                "verdict": claim.verdict,
                "effect": finding_words.effect(claim),
                "estimate": estimate(claim.estimate),
                "margin": claim.margin,
                "numbers": {key: _number(value) for key, value in claim.numbers.items()},
                "runs": [run.name for run in claim.runs],
            }
            for claim in finding.claims
        ],
    }


def _number(value: Any) -> Any:
    if isinstance(value, Estimate):
        return estimate(value)
    if isinstance(value, dict):  # steps between scenarios: (lower, higher) trainable stages
        return {f"{low} to {high}": estimate(step) for (low, high), step in value.items()}
    return value


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
    parts = (
        more_data_text.verdict,
        more_data_text.observed,
        more_data_text.target,
        more_data_text.basis,
    )
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


def summarise_loaded(loaded: LoadedDetector | None) -> dict[str, Any] | None:
    """Return what runs took from a whole detector's checkpoint as data."""
    return None if loaded is None else dataclasses.asdict(loaded)


def summarise_section(section) -> dict[str, Any]:
    """Return a cohort's part of the report as data."""
    conclusions = section.conclusions
    return {
        "label": conclusions.cohort.label,
        "starts_from": summarise_loaded(conclusions.cohort.first.loaded),
        "recommendations": [
            summarise_recommendation(recommendation)
            for recommendation in conclusions.recommendations
        ],
        "learning_curve": summarise_curve(conclusions.learning_curve),
        "findings": [summarise_finding(finding) for finding in conclusions.findings],
        "shorter_studies": [summarise_shorter(study) for study in conclusions.shorter],
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
