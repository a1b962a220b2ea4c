"""The tables of the report: the thesis's two, and the numbers that its text gives in passing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.conclusions.recommendation import average
from fzmm.analysis.reading.run import Run
from fzmm.analysis.report import formats
from fzmm.analysis.report.detections.detection_tables import detection_tables
from fzmm.analysis.report.rates.rate_table import rates_table
from fzmm.analysis.report.report_table import UNKNOWN, Cell, Table
from fzmm.analysis.statistics import measures, thesis
from fzmm.analysis.statistics.cohorts import Cohort, TrainingSet, size_name
from fzmm.analysis.statistics.estimates import Estimate, difference, mean
from fzmm.analysis.statistics.hardware import (
    by_hardware,
    cohorts_by_hardware,
    device_text,
    several_hardware,
)
from fzmm.analysis.statistics.noise import best_map, measured_noise
from fzmm.scenarios import counts_as_resnet
from fzmm.utils.durations import decimal_duration

_MOST_MODULES = 8  # named in a cell


def cohort_tables(conclusions: CohortConclusions) -> list[Table]:
    """Return the tables that the cohort's runs fill, in the page's order."""
    cohort = conclusions.cohort
    tables = (
        scenarios_table(cohort),
        rates_table(conclusions),
        times_table(cohort),
        gap_table(cohort),
        spread_table(cohort),
        leaders_table(conclusions),
        decay_table(cohort),
        repeats_table(cohort),
        variations_table(cohort),
        amounts_table(cohort),
        *detection_tables(conclusions),
    )
    return [table for table in tables if table is not None and table.rows]


def scenarios_table(cohort: Cohort) -> Table:
    """Every scenario of every data amount: mAP, gap, time, memory, parameters."""
    table = Table(
        "scenarios",
        "Results of every scenario",
        "",
        [
            "data",
            "trainable stages (frozen)",
            "runs",
            "best mAP",
            "below the highest",
            "last mAP",
            "best − last",
            "training time",
            "peak memory",
            "trainable parameters",
        ],
        note="In brackets: frozen_stages. Means over repeats (runs that differ in the seed alone) "
        "with Student's t interval of the noise that is pooled over all set-ups. "
        "A difference from the highest scenario is called one only where its interval excludes "
        "zero. Noise alone lifts the best of many evaluations above the last: by how much stands "
        "below best − last. Below the trainable parameters stand their share, and what is frozen.",
    )

    several = several_hardware(cohort.complete_runs)
    best_noise = measured_noise(cohort, best_map)
    last_noise = measured_noise(cohort, measures.last)
    for amount in cohort.amounts:
        cells = {k: tuple(runs) for k, runs in cohort.all_cells(amount).items()}
        values = {k: [best_map(run) for run in runs] for k, runs in cells.items()}
        top = max(values, key=lambda k: (np.mean(values[k]), -k), default=None)
        for k, runs in cells.items():
            gap = float(np.mean([measures.gap(run) for run in runs]))
            table.rows.append(
                [
                    cohort.name(amount),
                    formats.minus(cohort.scenario_name(k)),
                    Cell(str(len(runs)), runs),
                    _estimated(mean(values[k], best_noise), runs),
                    _difference(difference(values[top], values[k], best_noise), runs)
                    if k != top
                    else "highest",
                    _estimated(mean([measures.last(run) for run in runs], last_noise), runs),
                    Cell(formats.points(gap), runs, detail=_noise_alone(runs)),
                    *_time_and_memory(runs, several),
                    Cell(
                        formats.millions(runs[0].trainable_parameters),
                        runs,
                        detail=_what_is_frozen(runs[0]),
                    ),
                ]
            )

    return table


def _what_is_frozen(run: Run) -> str:
    """Write which share of the parameters is trained, and what is not by name."""
    if run.frozen_parameters is None or not run.trainable_parameters or run.frozen_modules is None:
        return ""
    share = run.trainable_parameters / (run.trainable_parameters + run.frozen_parameters)
    names = ", ".join(name.removeprefix("backbone.") for name in run.frozen_modules[:_MOST_MODULES])
    more = len(run.frozen_modules) - _MOST_MODULES
    rest = f" and {more} more" if more > 0 else ""
    return f"{share:.0%} of all; frozen: {names}{rest}" if names else f"{share:.0%} of all"


def _time_and_memory(runs: Sequence[Run], several: bool) -> list[Cell]:
    """Write the means on the hardware of most repeats; ``times_table`` has the others."""
    kind, same = next(iter(by_hardware(runs).items()), (None, []))
    place = f"on {kind}" if several and kind else ""
    time = decimal_duration(average(same, measures.training_time))
    memory = average(same, lambda run: run.peak_memory_mb)
    written = UNKNOWN if memory is None else f"{memory:,.0f} MiB"
    return [Cell(time, tuple(same), detail=place), Cell(written, tuple(same), detail=place)]


def times_table(cohort: Cohort) -> Table | None:
    """Times by hardware, each against the unfrozen runs on the same; None with one kind."""
    parts = cohorts_by_hardware(cohort)
    if len(parts) < 2:
        return None
    table = Table(
        "times-by-device",
        "Training times by device",
        "",
        ["device", "data", "trainable stages (frozen)", "runs", "training time", "of unfrozen"],
        note="Times compare only on equal devices: the last column is against the unfrozen runs "
        "on the same data and device.",
    )

    for kind, part in parts.items():
        for amount in part.amounts:
            unfrozen = average(part.cell(amount, cohort.unfrozen), measures.training_time)
            for k, runs in part.all_cells(amount).items():
                time = average(runs, measures.training_time)
                ratio = time / unfrozen if time is not None and unfrozen else None
                table.rows.append(
                    [
                        kind,
                        cohort.name(amount),
                        formats.minus(cohort.scenario_name(k)),
                        Cell(str(len(runs)), tuple(runs)),
                        Cell(decimal_duration(time), tuple(runs)),
                        formats.percent(ratio),
                    ]
                )

    return table


def _difference(estimate: Estimate, runs: tuple[Run, ...]) -> Cell:
    if not estimate.known:
        return Cell(formats.points(estimate.value), runs, detail="no interval")
    verdict = "" if estimate.excludes_zero else ", none shown"
    return Cell(formats.points(estimate.value), runs, detail=formats.interval(estimate) + verdict)


def _noise_alone(runs: tuple[Run, ...]) -> str:
    by_noise = average(runs, measures.gap_by_noise)
    return "" if by_noise is None else f"noise alone {formats.points(by_noise)}"


def amounts_table(cohort: Cohort) -> Table:
    """Table 1: images and annotations of each data amount."""
    table = Table(
        "data-amounts",
        "Data amounts",
        "Table 1",
        ["data", "images", "annotations", "classes", "annotation file", "checksum (sha256)"],
        note="Counts are those of the annotation file that the runs recorded.",
    )

    for amount in cohort.amounts:
        runs = tuple(cohort.of(amount))
        training_set = runs[0].train
        theirs = thesis.IMAGES.get(amount.name) if thesis.is_coco(cohort.runs) else None
        table.rows.append(
            [
                cohort.name(amount),
                Cell(
                    formats.count(training_set.images), runs[:1], f"{theirs[0]:,}" if theirs else ""
                ),
                Cell(
                    formats.count(training_set.annotations),
                    runs[:1],
                    f"{theirs[1]:,}" if theirs else "",
                ),
                Cell(formats.count(training_set.categories), runs[:1]),
                training_set.ann_file or UNKNOWN,
                Cell(
                    training_set.sha256[:12] if training_set.sha256 else UNKNOWN,
                    title=training_set.sha256 or "",
                ),
            ]
        )

    return table


def leaders_table(conclusions: CohortConclusions) -> Table:
    """Which scenario has the highest best mAP so far, from which iteration on."""
    table = Table(
        "leaders",
        "Which scenario leads when",
        "",
        ["data", "from iteration", "highest best mAP so far"],
        note="From the last iteration of a data amount on the lead stands. Scenarios that freeze "
        "more converge earlier: a lead that changes late may change again.",
    )

    for recommendation in conclusions.recommendations:
        name = conclusions.cohort.name(recommendation.amount)
        for iteration, k in recommendation.schedule.leaders:
            scenario = f"{k} trainable ({recommendation.frozen[k]})"
            if k in recommendation.arms:
                scenario = recommendation.arms[k].name
            scenario = formats.minus(scenario)
            table.rows.append([name, formats.count(iteration), scenario])

    return table


def decay_table(cohort: Cohort) -> Table | None:
    """Table 2: gain at the first learning-rate decay."""
    return _by_amount(
        cohort,
        Table(
            "decay-gain",
            "mAP gain at the first learning-rate decay [pp]",
            "Table 2",
            ["data"],
            note="First evaluation after the decay minus the last one at or before it.",
        ),
        measures.decay_gain,
        thesis.DECAY_GAIN,
    )


def gap_table(cohort: Cohort) -> Table | None:
    """Best minus last mAP of every scenario (sections 5.3.1 and 5.3.3)."""
    theirs = {name: (gap, *[None] * 5) for name, gap in thesis.FROZEN_GAP.items()}
    table = _by_amount(
        cohort,
        Table(
            "gap",
            "Over-training: best minus last mAP [pp]",
            "5.3.1, 5.3.3, Figure 10",
            ["data"],
            note="How much of the best mAP is lost by training on to the end.",
        ),
        measures.gap,
        theirs,
    )

    if table is None:
        return None
    table.columns.append("largest")

    for row, amount in zip(table.rows, _amounts_with(cohort, measures.gap), strict=True):
        cells = cohort.cells(amount)
        gaps = {k: np.mean([measures.gap(run) for run in runs]) for k, runs in cells.items()}
        top = max(gaps, key=gaps.get)
        row.append(_number(gaps[top], cells[top], _theirs(cohort, amount, thesis.LARGEST_GAP)))

    return table


def spread_table(cohort: Cohort) -> Table | None:
    """Spread of best mAP over the scenarios (section 5.3.2)."""
    table = Table(
        "scenario-spread",
        "What unfreezing changes: spread of best mAP over the scenarios [pp]",
        "5.3.2, Figure 10",
        ["data", "lowest best mAP", "highest best mAP", "spread"],
        note="Largest minus smallest mean best mAP over the scenarios that were run.",
    )

    for amount in cohort.amounts:
        cells = cohort.cells(amount)
        if len(cells) < 2:
            continue
        values = {k: float(np.mean([best_map(run) for run in runs])) for k, runs in cells.items()}
        low, high = min(values, key=values.get), max(values, key=values.get)
        number = _theirs(cohort, amount, thesis.SCENARIO_SPREAD)
        table.rows.append(
            [
                cohort.name(amount),
                Cell(f"{formats.map_(values[low])} ({low} trainable)", tuple(cells[low])),
                Cell(f"{formats.map_(values[high])} ({high} trainable)", tuple(cells[high])),
                _number(values[high] - values[low], cells[low] + cells[high], number),
            ]
        )

    return table if table.rows else None


def repeats_table(cohort: Cohort) -> Table | None:
    """Largest spread over repeats of one set-up (section 5.1, Figure 8)."""
    groups = {
        (cohort.name(amount), k): cohort.cell(amount, k)
        for amount in cohort.amounts
        for k in cohort.compared
    }
    return _spreads(
        cohort,
        groups,
        Table("spread-repeats", "Spread over repeats", "5.1, Figure 8", []),
        thesis.REPEATS,
        "repeats (only the seed differs)",
    )


def variations_table(cohort: Cohort) -> Table | None:
    """Largest spread over subsets of one size (section 5.2, Figure 9)."""
    groups = {}
    for level in cohort.levels:
        if len(level) > 1:
            for k in cohort.compared:
                # one run for each subset: its first seed, so that seeds' noise is not mixed in
                runs = [cohort.cell(amount, k)[:1] for amount in level]
                groups[size_name(level[0]), k] = [run for seeds in runs for run in seeds]

    return _spreads(
        cohort,
        groups,
        Table("spread-subsets", "Spread over subsets of one size", "5.2, Figure 9", []),
        thesis.SUBSETS,
        "subsets (first seed of each)",
    )


def _spreads(cohort, groups, table: Table, theirs, noun) -> Table | None:
    groups = {key: runs for key, runs in groups.items() if len(runs) > 1}
    if not groups:
        return None
    table.columns = ["measure", "largest spread", "relative to the mean", "found at", "set-ups"]
    table.note = (
        f"Max minus min over {noun}; the largest over all set-ups, as the thesis gives it, and "
        "the set-up where it was found."
    )

    for label, key, measure, write in (
        ("best mAP", "best", best_map, lambda v: formats.points(v)),
        ("last mAP", "last", measures.last, lambda v: formats.points(v)),
        ("training time", "time", measures.training_time, decimal_duration),
    ):
        spreads = []
        for place, runs in _comparable(groups, key):
            values = [measure(run) for run in runs]
            if all(value is not None for value in values):
                spreads.append((*measures.spread(values), place, tuple(runs)))
        if not spreads:
            table.rows.append([label, UNKNOWN, UNKNOWN, "", str(len(groups))])
            continue
        width, relative, place, runs = max(spreads, key=lambda spread: spread[0])
        unit = "h" if key == "time" else "pp"
        table.rows.append(
            [
                label,
                Cell(write(width), runs, f"{theirs[key][0]} {unit}"),
                Cell(formats.percent(relative, 1), runs, f"{theirs[key][1]}%"),
                f"{place[0]}, {cohort.stages_name(place[1])}",
                str(len(groups)),
            ]
        )

    return table


def _comparable(groups, key: str) -> list[tuple[tuple, list[Run]]]:
    """Return the runs of each set-up, times apart by hardware."""
    if key != "time":
        return list(groups.items())
    apart = [(place, same) for place, runs in groups.items() for same in by_hardware(runs).values()]
    return [(place, same) for place, same in apart if len(same) > 1]


def _by_amount(cohort: Cohort, table: Table, measure, theirs) -> Table | None:
    """Fill a table of data amounts by trainable stages with means of a measure in pp."""
    amounts = _amounts_with(cohort, measure)
    if not amounts:
        return None
    table.columns += [cohort.stages_name(k) for k in cohort.compared]

    for amount in amounts:
        row: list[Cell | str] = [cohort.name(amount)]
        numbers = _theirs(cohort, amount, theirs)
        for k in cohort.compared:
            runs = [run for run in cohort.cell(amount, k) if measure(run) is not None]
            number = numbers[k] if numbers and k < len(numbers) else None
            if not runs:
                row.append(Cell("–", (), "" if number is None else f"{number}"))
                continue
            row.append(_number(float(np.mean([measure(run) for run in runs])), runs, number))
        table.rows.append(row)

    return table


def _amounts_with(cohort: Cohort, measure) -> list[TrainingSet]:
    return [
        amount
        for amount in cohort.amounts
        if any(measure(run) is not None for k in cohort.compared for run in cohort.cell(amount, k))
    ]


def _number(value: float, runs: list[Run], theirs: float | None) -> Cell:
    value = round(100 * value, 1) + 0.0
    return Cell(f"{value:.1f}", tuple(runs), "" if theirs is None else f"{theirs:.1f}")


def _theirs(cohort: Cohort, amount: TrainingSet, numbers: dict):
    """What the thesis reports for a data amount of COCO and a ResNet's stages, or None."""
    resnet = counts_as_resnet(cohort.unfrozen, cohort.frozen_stages)
    return numbers.get(amount.name) if resnet and thesis.is_coco(cohort.runs) else None


def _estimated(estimate, runs: tuple[Run, ...]) -> Cell:
    return Cell(formats.map_(estimate.value), runs, detail=formats.interval(estimate))


def _scenario(run: Run) -> str:
    if run.arm is not None:
        return run.arm
    return UNKNOWN if run.trainable is None else f"{run.trainable} ({run.scenario})"


def runs_table(runs: list[Run]) -> Table:
    """One line for each run, for ``summarise`` and the report's last table."""
    table = Table(
        "runs",
        "Runs",
        "",
        [
            "run",
            "data",
            "trainable stages",
            "seed",
            "best mAP",
            "at iteration",
            "last mAP",
            "training time",
            "state",
        ],
    )

    several = several_hardware(runs)
    if several:
        table.columns.append("device")
    for run in runs:
        top = measures.best(run)
        table.rows.append(
            [
                run.name,
                run.data_amount or run.train.ann_file or UNKNOWN,
                _scenario(run),
                UNKNOWN if run.seed is None else str(run.seed),
                Cell(formats.map_(top.value) if top else UNKNOWN, (run,)),
                formats.count(top.iteration) if top else UNKNOWN,
                Cell(formats.map_(measures.last(run)), (run,)),
                decimal_duration(measures.training_time(run)),
                formats.state(run),
                *([device_text(run)] if several else []),
            ]
        )

    return table
