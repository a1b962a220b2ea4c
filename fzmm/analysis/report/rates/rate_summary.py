"""The learning rates of a recommendation's scenarios as data."""

from __future__ import annotations

from typing import Any

from fzmm.analysis.conclusions.recommendation import Recommendation
from fzmm.analysis.report.words import words
from fzmm.analysis.statistics.learning_rates import RateChoice


def summarise_rates(recommendation: Recommendation) -> dict[str, Any] | None:
    """Return what is known of the rates; None where the study has one rate."""
    rates = recommendation.rates
    if rates is None:
        return None
    return {
        "tried": rates.tried,
        "chosen_on_share_of_schedule": rates.share or 1.0,
        "chosen_by": [run.name for run in rates.chosen_by],
        "compared_by_other_runs": not rates.compared_as_chosen,
        "scenarios": [
            {
                "frozen_stages": recommendation.frozen[k],
                "arm": recommendation.arms[k].name if k in recommendation.arms else None,
                "best_map": recommendation.ranking.means[k],
                **_choice(choice),
            }
            for k, choice in rates.choices.items()
        ],
        "at_one_common_rate": [
            {
                "rate": one.rate,
                "recommended": recommendation.label(one.trainable),
                "same": one.same,
                "from_whole_runs": one.measured,
            }
            for one in rates.common
        ],
        "sentence": words("rate_words").sentence(recommendation),
    }


def _choice(choice: RateChoice) -> dict[str, Any]:
    return {
        "rate": choice.rate,
        "compared_by_other_runs": choice.apart,
        "edge_of_those_tried": choice.edge,
        "rate_to_try": choice.beyond,
        "better_rate_without_whole_run": choice.better,
        "trials": [
            {
                "rate": trial.rate,
                "best_map": trial.best_map,
                "diverged": trial.diverged,
                "runs": [run.name for run in trial.runs],
            }
            for trial in choice.trials
        ],
    }
