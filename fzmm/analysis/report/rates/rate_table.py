"""The table of learning rates: what each scenario reached at each, and which was taken."""

from __future__ import annotations

import math

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.report import formats
from fzmm.analysis.report.report_table import Cell, Table
from fzmm.analysis.statistics.cohorts import Cohort
from fzmm.analysis.statistics.estimates import mean, t_quantile
from fzmm.analysis.statistics.learning_rates import RateChoice, RateTrial
from fzmm.analysis.statistics.noise import Noise, best_map, best_map_noise

_NOTE = (
    "Best mAP of the run that tried a rate ({how}), and of whole runs at those not taken where "
    "there are any; the last column is of the runs that are compared. "
    "The highest is taken, of equal ones the lower rate; what noise does not tell from it (one run "
    "each) is marked. A rate at which a loss was no number any more is out."
)


def rates_table(conclusions: CohortConclusions) -> Table | None:
    """Scenario by rate; None where a study has one rate."""
    cohort, noise = conclusions.cohort, best_map_noise(conclusions.cohort)
    rates = sorted({t.rate for choice in cohort.rate_choices.values() for t in choice.trials})
    if len(rates) < 2:
        return None
    table = Table(
        "learning-rates",
        "Learning rates: best mAP of every scenario at each",
        "",
        [
            "data",
            "trainable stages (frozen)",
            *(f"{rate:g}" for rate in rates),
            "taken",
            "whole runs",
        ],
        note=_NOTE.format(how=_how(cohort)),
    )
    for amount in cohort.amounts:
        for k, runs in cohort.all_cells(amount).items():
            choice = cohort.rate_choice(amount, k)
            reached = mean([best_map(run) for run in runs], noise)
            table.rows.append(
                [
                    cohort.name(amount),
                    formats.minus(cohort.scenario_name(k)),
                    *(_tried(choice, rate, noise) for rate in rates),
                    Cell(f"{choice.rate:g}", choice.chosen_by, detail=_edge(choice)),
                    Cell(
                        formats.map_(reached.value), tuple(runs), detail=formats.interval(reached)
                    ),
                ]
            )
    return table


def _how(cohort: Cohort) -> str:
    shares = {choice.share for choice in cohort.rate_choices.values()}
    parts = [f"{formats.percent(share)} of the schedule" for share in sorted(shares - {None})]
    return " or ".join([*parts, *(["a whole run of one seed"] if None in shares else [])])


def _edge(choice: RateChoice) -> str:
    return "" if choice.edge is None else f"the {choice.edge} tried: try {choice.beyond:g}"


def _tried(choice: RateChoice, rate: float, noise: Noise | None) -> Cell:
    trial = choice.trial(rate)
    if trial is None:
        return Cell("–")
    if trial.diverged:
        return Cell("diverged", trial.runs)
    whole = choice.whole.get(rate, ()) if rate != choice.rate and choice.share else ()
    parts = [
        "taken" if rate == choice.rate else "",
        "not told apart" if _near(choice, trial, noise) else "",
        f"whole {formats.map_(mean([best_map(run) for run in whole], None).value)}"
        if whole
        else "",
    ]
    return Cell(formats.map_(trial.best_map), trial.runs, detail=", ".join(filter(None, parts)))


def _near(choice: RateChoice, trial: RateTrial, noise: Noise | None) -> bool:
    """Whether noise alone may set two single runs as far apart."""
    taken = choice.trial(choice.rate)
    if noise is None or taken is None or taken is trial or taken.best_map is None:
        return False
    least = t_quantile(noise.freedom) * noise.deviation * math.sqrt(2)
    return abs(taken.best_map - trial.best_map) < least
