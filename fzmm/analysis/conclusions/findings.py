"""The thesis's five findings, each tested on the runs at hand."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fzmm.analysis.reading.run import Run
from fzmm.analysis.report import text
from fzmm.analysis.statistics import measures, thesis
from fzmm.analysis.statistics.cohorts import Cohort, is_complete
from fzmm.analysis.statistics.estimates import (
    Estimate,
    Noise,
    best_map,
    bootstrap_mean,
    difference,
    mean,
    measured_noise,
    noise,
)
from fzmm.scenarios import UNFROZEN

HOLDS, FAILS, OPEN = "holds here", "does not hold here", "not enough runs"


@dataclass(frozen=True)
class Part:
    """One claim of a finding.

    Attributes:
        claim: What is claimed, in a few words.
        verdict: ``HOLDS``, ``FAILS`` or ``OPEN``.
        effect: The size that was measured, with its interval or the noise it was held against.
        runs: The runs it comes from.
    """

    claim: str
    verdict: str
    effect: str
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One of the five findings.

    Attributes:
        number: 1 to 5, as in the thesis's conclusions.
        statement: The finding.
        parts: The claims it is made of.
    """

    number: int
    statement: str
    parts: list[Part] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """``HOLDS`` if every claim does, ``FAILS`` if one does not, else ``OPEN``."""
        verdicts = {part.verdict for part in self.parts}
        if FAILS in verdicts:
            return FAILS
        return HOLDS if verdicts == {HOLDS} else OPEN


def findings(cohort: Cohort, others: list[Cohort] = ()) -> list[Finding]:
    """Test the five findings.

    Args:
        cohort: Comparable runs.
        others: Further cohorts, where runs from scratch are looked for.
    """
    level = noise(cohort)
    return [
        _overtraining(cohort, level),
        _unfreezing(cohort, level),
        _time(cohort),
        _decay(cohort, level),
        _scratch(cohort, [cohort, *others], level),
    ]


def judge(estimate: Estimate, threshold: float, measured: bool) -> tuple[str, str]:
    """Decide whether a difference is one, and say why.

    With an interval: it is one if the interval lies above zero; it is refuted if the interval lies
    below zero or wholly within the noise. Without: it is one if it is larger than the noise.

    Args:
        estimate: The difference that should be above zero.
        threshold: The noise.
        measured: Whether the noise was measured, or is the thesis's.

    Returns:
        The verdict and a half-sentence with interval or noise.
    """
    if estimate.known:
        why = text.interval(estimate)
        if estimate.low > 0:
            return HOLDS, why
        inside = estimate.high <= threshold and estimate.low >= -threshold
        return (FAILS, why) if estimate.high < 0 or inside else (OPEN, f"{why}, zero included")
    size = text.points(threshold)
    why = (
        f"no interval; measured noise {size}"
        if measured
        else f"no interval; noise unknown, the thesis’s {size} stands in"
    )
    if estimate.value > threshold:
        return HOLDS, why
    return (FAILS if estimate.value < -threshold else OPEN), why


def _paired(cohort: Cohort, first, second, measure, scenarios) -> tuple[list[float], list[Run]]:
    """Differences of mean measures between two data amounts, one for each shared scenario."""
    differences, used = [], []
    for k in scenarios:
        here, there = cohort.cell(first, k), cohort.cell(second, k)
        values = [[measure(run) for run in runs] for runs in (here, there)]
        if here and there and all(v is not None for group in values for v in group):
            differences.append(float(np.mean(values[0]) - np.mean(values[1])))
            used += here + there
    return differences, used


def _ends(cohort: Cohort):
    """Return the smallest and the largest data amount with finished runs, if sizes differ."""
    sized = [a for a in cohort.main_amounts if cohort.at([a]) and a.level[0] != "name"]
    return (sized[-1], sized[0]) if len(sized) > 1 else None


def _overtraining(cohort: Cohort, level: Noise) -> Finding:
    finding = Finding(
        1,
        "Over-training (best minus last mAP) grows as the data shrinks; with everything frozen "
        "there is almost none.",
    )
    ends = _ends(cohort)
    if ends is None:
        finding.parts.append(Part("grows as the data shrinks", OPEN, "needs two data amounts"))
    else:
        small, large = ends
        scenarios = [k for k in cohort.scenarios if k > 0]
        pairs, runs = _paired(cohort, small, large, measures.gap, scenarios)
        if pairs:
            estimate = mean(pairs)
            verdict, why = judge(estimate, level.value, level.measured)
            effect = (
                f"gap at {cohort.name(small)} minus gap at {cohort.name(large)}, mean over "
                f"{text.plural(len(pairs), 'scenario')} with trainable stages: "
                f"{text.points(estimate.value, True)} ({why})"
            )
            finding.parts.append(Part("grows as the data shrinks", verdict, effect, tuple(runs)))
        else:
            finding.parts.append(
                Part("grows as the data shrinks", OPEN, "no scenario was run on both ends")
            )
    frozen = [run for amount in cohort.amounts for run in cohort.cell(amount, 0)]
    if frozen:
        cells = [cohort.cell(amount, 0) for amount in cohort.amounts]
        gaps = [np.mean([measures.gap(run) for run in runs]) for runs in cells if runs]
        largest = max(gaps)
        verdict = HOLDS if largest <= level.value + 1e-9 else FAILS
        effect = (
            f"largest gap with every stage frozen, mean of repeats: {text.points(largest)} "
            f"({'measured' if level.measured else 'thesis’s'} noise {text.points(level.value)})"
        )
        finding.parts.append(
            Part("almost none with everything frozen", verdict, effect, tuple(frozen))
        )
    else:
        finding.parts.append(
            Part("almost none with everything frozen", OPEN, "no run with frozen_stages=4")
        )
    return finding


def _unfreezing(cohort: Cohort, level: Noise) -> Finding:
    finding = Finding(
        2,
        "The gain from unfreezing shrinks as the data shrinks, most of it lying between 0 and 3 "
        "trainable stages.",
    )
    ends = _ends(cohort)
    shared = [k for k in cohort.scenarios if ends and all(cohort.cell(end, k) for end in ends)]
    if ends is None or len(shared) < 2:
        finding.parts.append(
            Part("shrinks as the data shrinks", OPEN, "needs two scenarios on two data amounts")
        )
    else:
        small, large = ends
        widths, used = [], []
        for end in (large, small):
            means = {k: np.mean([best_map(run) for run in cohort.cell(end, k)]) for k in shared}
            widths.append(float(max(means.values()) - min(means.values())))
            used += [run for k in shared for run in cohort.cell(end, k)]
        estimate = _spread_difference(cohort, large, small, shared, level)
        verdict, why = judge(estimate, level.value, level.measured)
        effect = (
            f"spread over scenarios {text.points(widths[0])} at {cohort.name(large)}, "
            f"{text.points(widths[1])} at {cohort.name(small)}: "
            f"{text.points(estimate.value, True)} ({why})"
        )
        finding.parts.append(Part("shrinks as the data shrinks", verdict, effect, tuple(used)))
    finding.parts.append(_between_0_and_3(cohort, level))
    return finding


def _spread_difference(cohort, large, small, scenarios, level: Noise) -> Estimate:
    """Spread of scenarios at the large amount minus that at the small one.

    Its interval is the percentile interval of 2,000 draws in which each scenario's mean moves by
    the pooled noise / sqrt(runs); without measured noise there is none.
    """
    centres, counts_ = [], []
    for end in (large, small):
        centres.append([np.mean([best_map(r) for r in cohort.cell(end, k)]) for k in scenarios])
        counts_.append([len(cohort.cell(end, k)) for k in scenarios])
    centres, counts_ = np.array(centres), np.array(counts_)
    value = float(np.ptp(centres[0]) - np.ptp(centres[1]))
    if not level.freedom:
        return Estimate(value)
    draws = np.random.default_rng(0).standard_t(level.freedom, (2000, *centres.shape))
    moved = centres + draws * level.deviation / np.sqrt(counts_)
    widths = np.ptp(moved, axis=2)
    low, high = np.percentile(widths[:, 0] - widths[:, 1], [2.5, 97.5])
    # a spread of noisy means is wider than that of the means: move the draws back to the value
    shift = value - float(np.mean(widths[:, 0] - widths[:, 1]))
    return Estimate(value, float(low) + shift, float(high) + shift, 2, "resampled noise")


def _between_0_and_3(cohort: Cohort, level: Noise) -> Part:
    claim = "most of it between 0 and 3 trainable stages"
    for amount in cohort.main_amounts:
        ends = [cohort.cell(amount, k) for k in (0, 3, 5)]
        if all(ends):
            zero, three, five = ([best_map(run) for run in runs] for runs in ends)
            total = difference(five, zero)
            gain = difference(three, zero)
            runs = tuple(run for group in ends for run in group)
            where = f"at {cohort.name(amount)}: {text.points(gain.value, True)} from 0 to 3, "
            where += f"{text.points(total.value, True)} from 0 to 5"
            if judge(gain, level.value, level.measured)[0] != HOLDS:
                return Part(claim, OPEN, f"{where}; no gain beyond the noise", runs)
            share = gain.value / max(total.value, gain.value)
            verdict = HOLDS if share > 0.5 else FAILS
            return Part(claim, verdict, f"{where} ({text.percent(share)})", runs)
    return Part(claim, OPEN, "needs runs with 0, 3 and 5 trainable stages on one data amount")


def _time(cohort: Cohort) -> Finding:
    finding = Finding(
        3,
        "Training time rises with each trainable stage, except the stem, whose effect is lost in "
        "the noise.",
    )
    spread = measured_noise(cohort, measures.training_time)
    relative = spread.relative if spread else thesis.NOISE_TIME
    source = "measured" if spread else "thesis’s"
    steps, used = [], []
    for low, high in zip(cohort.scenarios, cohort.scenarios[1:], strict=False):
        ratio, runs = _time_ratio(cohort, low, high)
        if ratio is None:
            continue
        if (low, high) == (4, 5):
            verdict = HOLDS if abs(ratio - 1) <= relative else FAILS
            effect = text.minus(f"5 against 4 trainable: {100 * (ratio - 1):+.1f}% ")
            effect += f"({source} noise {text.percent(relative, 1)})"
            finding.parts.append(Part("except the stem", verdict, effect, tuple(runs)))
        elif high <= 4:
            steps.append((low, high, ratio))
            used += runs
    if steps:
        shown = ", ".join(f"{a}→{b}: {100 * (ratio - 1):+.1f}%" for a, b, ratio in steps)
        ratios = [ratio for _, _, ratio in steps]
        if min(ratios) > 1:
            verdict = HOLDS if len(steps) == 4 or min(ratios) - 1 > relative else OPEN
        else:
            verdict = FAILS if 1 - min(ratios) > relative else OPEN
        finding.parts.insert(
            0,
            Part(
                "rises with each trainable stage",
                verdict,
                f"{shown} ({source} noise {text.percent(relative, 1)})",
                tuple(used),
            ),
        )
    else:
        finding.parts.insert(
            0, Part("rises with each trainable stage", OPEN, "needs two scenarios with times")
        )
    if len(finding.parts) == 1:
        finding.parts.append(
            Part("except the stem", OPEN, "needs runs with 4 and 5 trainable stages")
        )
    return finding


def _time_ratio(cohort: Cohort, low: int, high: int):
    """Mean over data amounts of time(high) / time(low)."""
    ratios, used = [], []
    for amount in cohort.amounts:
        cells = [cohort.cell(amount, k) for k in (low, high)]
        times = [[measures.training_time(run) for run in runs] for runs in cells]
        if all(cells) and all(time for group in times for time in group):
            ratios.append(np.mean(times[1]) / np.mean(times[0]))
            used += cells[0] + cells[1]
    return (float(np.mean(ratios)) if ratios else None), used


def _decay(cohort: Cohort, level: Noise) -> Finding:
    finding = Finding(
        4,
        "The first learning-rate decay lifts every run, less so with 0 or 1 trainable stages; on "
        "subsets the mAP then falls while the training-set mAP keeps rising; the second decay only "
        "slows that fall.",
    )
    runs = [run for run in cohort.runs if is_complete(run) and measures.decay_gain(run) is not None]
    if not runs:
        finding.parts.append(
            Part("lifts every run", OPEN, "no run logs a decay between two evaluations")
        )
        return finding
    gains = [measures.decay_gain(run) for run in runs]
    average = bootstrap_mean(gains)
    known = f", {text.interval(average)} by bootstrap over runs" if average.known else ""
    lifted = sum(gain > 0 for gain in gains)
    low, high = min(gains), max(gains)
    verdict = HOLDS if lifted == len(runs) else FAILS
    if verdict == FAILS and low > -level.value:
        verdict = OPEN
    finding.parts.append(
        Part(
            "the first decay lifts every run",
            verdict,
            f"{lifted} of {len(runs)} runs rise, by {text.points(low, True)} to "
            f"{text.points(high, True)}, on average {text.points(average.value, True)}{known}",
            tuple(runs),
        )
    )
    few = [measures.decay_gain(run) for run in runs if run.trainable in (0, 1)]
    many = [measures.decay_gain(run) for run in runs if (run.trainable or 0) >= 2]
    if few and many:
        estimate = difference(many, few)
        verdict, why = judge(estimate, level.value, level.measured)
        finding.parts.append(
            Part(
                "less so with 0 or 1 trainable stages",
                verdict,
                f"2 or more trainable minus 0 or 1: {text.points(estimate.value, True)} ({why})",
                tuple(runs),
            )
        )
    else:
        finding.parts.append(
            Part("less so with 0 or 1 trainable stages", OPEN, "needs scenarios of both kinds")
        )
    finding.parts.append(_fall_after(cohort))
    finding.parts.append(_second_decay(cohort))
    return finding


def _subset_runs(cohort: Cohort) -> list[Run]:
    """Runs on less than the largest data amount, in which a stage trains."""
    return [run for level in cohort.levels[1:] for run in cohort.at(level) if run.trainable]


def _fall_after(cohort: Cohort) -> Part:
    claim = "on subsets the mAP then falls while the training-set mAP rises"
    slopes = [
        (measures.change_after(run, 0), measures.change_after(run, 0, "train_split/bbox_mAP"), run)
        for run in _subset_runs(cohort)
    ]
    slopes = [item for item in slopes if item[0] is not None]
    if not slopes:
        return Part(claim, OPEN, "needs two evaluations between the decays, on a subset")
    falling = sum(validation < 0 for validation, _, _ in slopes)
    runs = tuple(run for _, _, run in slopes)
    split = [(validation, train) for validation, train, _ in slopes if train is not None]
    rising = sum(train > 0 for _, train in split)
    effect = f"validation falls in {falling} of {len(slopes)} runs"
    if not split:
        return Part(claim, OPEN, f"{effect}; no run logs training-split mAP", runs)
    effect += f", training-split mAP rises in {rising} of {len(split)}"
    both = sum(validation < 0 < train for validation, train in split)
    return Part(claim, _majority(both, len(split)), effect, runs)


def _second_decay(cohort: Cohort) -> Part:
    claim = "the second decay only slows that fall"
    pairs = [
        (measures.change_after(run, 0), measures.change_after(run, 1), run)
        for run in _subset_runs(cohort)
    ]
    pairs = [item for item in pairs if None not in item[:2]]
    if not pairs:
        return Part(claim, OPEN, "needs two evaluations after the second decay, on a subset")
    falling = [item for item in pairs if item[0] < 0]
    runs = tuple(item[2] for item in pairs)
    if not falling:
        return Part(claim, OPEN, f"no fall to slow in {len(pairs)} runs", runs)
    slowed = sum(second > first for first, second, _ in falling)
    first = np.mean([100 * item[0] for item in falling])
    second = np.mean([100 * item[1] for item in falling])
    effect = text.minus(
        f"slower in {slowed} of {len(falling)} falling runs: {first:+.2g} pp per 1,000 "
        f"iterations before it, {second:+.2g} pp after"
    )
    return Part(claim, _majority(slowed, len(falling)), effect, runs)


def _majority(count: int, total: int) -> str:
    """Hold if more than two thirds do (and at least 3), fail if fewer than one third."""
    if total < 3:
        return OPEN
    return HOLDS if 3 * count > 2 * total else FAILS if 3 * count < total else OPEN


def scratch_pairs(cohorts: list[Cohort]) -> list[tuple[list[Run], list[Run]]]:
    """Match runs from scratch with pretrained, unfrozen runs on the same data and model.

    Their schedules differ by design (section 4.3.3), so they lie in different cohorts.
    """
    groups: dict[tuple, tuple[list[Run], list[Run]]] = {}
    for cohort in cohorts:
        for run in cohort.runs:
            if is_complete(run) and run.trainable == UNFROZEN and run.initialisation:
                key = (run.dataset, run.val.identity, run.train.identity, run.model, run.metric)
                pair = groups.setdefault(key, ([], []))
                pair[run.from_scratch].append(run)
    return [pair for pair in groups.values() if all(pair)]


def _scratch(cohort: Cohort, cohorts: list[Cohort], level: Noise) -> Finding:
    finding = Finding(
        5, "From scratch converges later and lower than pretrained, even on all of COCO."
    )
    pairs = [
        pair
        for pair in scratch_pairs(cohorts)
        if any(run in cohort.runs for group in pair for run in group)
    ]
    if not pairs:
        finding.parts.append(
            Part(
                "converges lower",
                OPEN,
                "needs a run from scratch and a pretrained unfrozen one on the same data",
            )
        )
        return finding
    pretrained, scratch = pairs[0]
    runs = tuple(pretrained + scratch)
    estimate = difference([best_map(r) for r in pretrained], [best_map(r) for r in scratch])
    verdict, why = judge(estimate, level.value, level.measured)
    finding.parts.append(
        Part(
            "converges lower",
            verdict,
            f"pretrained minus from scratch: {text.points(estimate.value, True)} ({why})",
            runs,
        )
    )
    first = [np.mean([measures.first_evaluation(r) for r in group]) for group in pairs[0]]
    when = [np.mean([measures.best(r).iteration for r in group]) for group in pairs[0]]
    finding.parts.append(
        Part(
            "converges later",
            HOLDS if when[1] > when[0] else FAILS,
            f"best at iteration {when[0]:,.0f} pretrained, {when[1]:,.0f} from scratch; first "
            f"evaluation {text.map_(first[0])} and {text.map_(first[1])}",
            runs,
        )
    )
    return finding
