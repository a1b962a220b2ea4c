"""Finding 2: unfreezing gains less with less data, most of it between 0 and 3 trainable stages."""

from __future__ import annotations

import numpy as np

from fzmm.analysis.conclusions.findings.claims import Claim, Finding, above, all_of, least
from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics.cohorts import Cohort
from fzmm.analysis.statistics.estimates import Estimate, contrast
from fzmm.analysis.statistics.noise import Noise, best_map, measured_noise
from fzmm.analysis.statistics.ranking import standard_draws


def unfreezing(cohort: Cohort) -> Finding:
    """Test finding 2 on the mean best mAP of the scenarios.

    Claims:
        ``shrinks``: ``estimate`` is the spread (highest minus lowest mean best mAP) over the
        scenarios at the largest data amount minus that at the smallest, less the part that noise
        adds to a spread. Numbers: ``small`` and ``large`` (names), ``small_spread`` and
        ``large_spread`` (as observed).
        ``most_by_three``: at the largest data amount with 0, 3 and more trainable stages,
        ``estimate`` is the gain from 0 to 3 stages minus half of the gain from 0 to the scenario
        beyond 3 that makes this least. Numbers: ``amount`` (name), ``gain`` (0 to 3, an Estimate),
        ``stages`` (all: 5 in a ResNet), ``total`` (0 to all, an Estimate), ``share`` (``gain`` of
        the larger of both).
    """
    noise = measured_noise(cohort, best_map)
    return Finding(2, (_shrinks(cohort, noise), _most_by_three(cohort, noise)))


def _shrinks(cohort: Cohort, noise: Noise | None) -> Claim:
    ends = cohort.smallest_and_largest
    shared = cohort.shared_scenarios(ends) if ends else []
    if len(shared) < 2:
        return Claim("shrinks")

    small, large = ends
    cells = [[cohort.cell(amount, k) for k in shared] for amount in (large, small)]
    means = np.array([[np.mean(_values(runs)) for runs in row] for row in cells])
    counts = np.array([[len(runs) for runs in row] for row in cells])
    estimate = _difference_of_spreads(means, counts, noise)
    numbers = {
        "small": cohort.name(small),
        "large": cohort.name(large),
        "small_spread": float(np.ptp(means[1])),
        "large_spread": float(np.ptp(means[0])),
    }

    runs = tuple(run for row in cells for cell in row for run in cell)
    return Claim("shrinks", above(estimate), estimate, 0.0, numbers, runs)


def _difference_of_spreads(means, counts, noise: Noise | None) -> Estimate:
    """Return the first row's spread minus the second's, shapes (2, scenarios).

    The spread of noisy means is wider than that of the true ones; by how much, draws that add the
    same noise once more tell.
    """
    value = float(np.ptp(means[0]) - np.ptp(means[1]))
    if noise is None:
        return Estimate(value, n=int(counts.min()))

    draws = standard_draws(means.size, noise.freedom).T.reshape(-1, *means.shape)
    spreads = np.ptp(means + noise.deviation * draws / np.sqrt(counts), axis=2)
    differences = spreads[:, 0] - spreads[:, 1]
    bias = float(np.mean(differences)) - value
    low, high = np.percentile(differences, [2.5, 97.5]) - 2 * bias
    return Estimate(value - bias, float(low), float(high), int(counts.min()), "resampled noise")


def _most_by_three(cohort: Cohort, noise: Noise | None) -> Claim:
    for amount in cohort.main_amounts:
        cells = cohort.cells(amount)
        if cohort.unfrozen > 3 and all(k in cells for k in (0, 3, cohort.unfrozen)):
            return _most_at(cells, cohort.name(amount), cohort.unfrozen, noise)
    return Claim("most_by_three")


def _most_at(cells: dict[int, list[Run]], name: str, stages: int, noise: Noise | None) -> Claim:
    values = {k: _values(runs) for k, runs in cells.items()}
    beyond = [k for k in values if k > 3]
    excess = [
        contrast([(1, values[3]), (-0.5, values[0]), (-0.5, values[k])], noise) for k in beyond
    ]
    gain = contrast([(1, values[3]), (-1, values[0])], noise)
    total = contrast([(1, values[stages]), (-1, values[0])], noise)
    verdict = all_of([above(estimate) for estimate in [gain, *excess]])
    share = gain.value / max(total.value, gain.value) if gain.value > 0 else None
    numbers = {"amount": name, "stages": stages, "gain": gain, "total": total, "share": share}
    runs = tuple(run for k in (0, 3, *beyond) for run in cells[k])
    return Claim("most_by_three", verdict, least(excess), 0.0, numbers, runs)


def _values(runs: list[Run]) -> list[float]:
    return [best_map(run) for run in runs]
