"""Tables of what the kept detections say: AP by class and by size of the boxes."""

from __future__ import annotations

import numpy as np

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions
from fzmm.analysis.conclusions.image_noise import paired_difference
from fzmm.analysis.detections.run_detections import FEW_BOXES, AmountDetections
from fzmm.analysis.figures.detections.class_dots import sorted_classes
from fzmm.analysis.reading.run import Run
from fzmm.analysis.report import formats
from fzmm.analysis.report.report_table import Cell, Table
from fzmm.analysis.statistics.cohorts import Cohort

SIZES = {"small": "below 32²", "medium": "32² to 96²", "large": "above 96² pixels"}


def detection_tables(conclusions: CohortConclusions) -> list[Table]:
    """Return a table of sizes for all data amounts and one of classes for each."""
    amounts, cohort = conclusions.detections, conclusions.cohort
    if not amounts:
        return []
    recommended = {one.amount: one.trainable for one in conclusions.recommendations}
    tables = [_size_table(cohort, amounts)]
    for index, one in enumerate(amounts):
        chosen = recommended.get(one.amount)
        frozen = chosen if chosen in one.others else one.most_frozen
        tables.append(_class_table(cohort, one, frozen, f"class-ap-{index + 1}"))
    return tables


def _size_table(cohort: Cohort, amounts: list[AmountDetections]) -> Table:
    table = Table(
        "size-ap",
        "mAP by size of the boxes, and how sure these images make it",
        "",
        ["data", "trainable stages (frozen)", "all", "against least frozen [pp]", *SIZES],
        note="From the kept predictions of each run's best checkpoint; small, medium and large are "
        f"COCO's: {', '.join(f'{name} {text}' for name, text in SIZES.items())}. The interval of "
        "mAP and of the difference is that of a bootstrap over the validation images (1,000 draws, "
        "the same images for each scenario): what other images of the same kind would have given.",
    )
    for one in amounts:
        for k in one.in_order:
            runs = _runs(one, k)
            sizes = [
                float(np.mean([run.size_ap[name] for run in one.scenarios[k]])) for name in SIZES
            ]
            drawn = one.drawn[k][np.isfinite(one.drawn[k])]
            map_ = float(np.nanmean(one.mean(k, "class_ap")))
            width = 1.96 * float(drawn.std(ddof=1)) if len(drawn) > 1 else 0.0
            table.rows.append(
                [
                    cohort.name(one.amount),
                    _scenario(cohort, k),
                    Cell(formats.map_(map_), runs, detail=f"± {formats.points(width)}"),
                    "–" if k == one.reference else _against(one, k),
                    *(Cell(_percent(value), runs) for value in sizes),
                ]
            )
    return table


def _class_table(cohort: Cohort, one: AmountDetections, sorted_by: int, key: str) -> Table:
    table = Table(
        key,
        f"AP by class on {cohort.name(one.amount)}",
        "",
        ["class", "boxes", f"AP of {_scenario(cohort, one.reference)}"]
        + [f"{_scenario(cohort, k)} [pp]" for k in one.others],
        note="Means over seeds, and what each scenario with more frozen stages changes; below it "
        f"the range over seeds. The class that {_scenario(cohort, sorted_by)} costs most is first. "
        f"“few” marks classes with fewer than {FEW_BOXES} boxes in the validation images.",
    )
    base = one.mean(one.reference, "class_ap")
    few, counts = one.few, one.truth.counts
    for index in sorted_classes(one, sorted_by):
        row: list[Cell | str] = [
            one.truth.class_names[index],
            Cell(f"{counts[index]:,}", detail="few" if few[index] else ""),
            Cell(_percent(base[index]), _runs(one, one.reference)),
        ]
        for k in one.others:
            values = [run.class_ap[index] - base[index] for run in one.scenarios[k]]
            row.append(Cell(_signed(float(np.mean(values))), _runs(one, k), detail=_range(values)))
        table.rows.append(row)
    return table


def _against(one: AmountDetections, trainable: int) -> Cell:
    difference = paired_difference(one, trainable, one.reference)
    low, high = _signed(difference.low), _signed(difference.high)
    return Cell(_signed(difference.value), _runs(one, trainable), detail=f"{low} to {high}")


def _runs(one: AmountDetections, trainable: int) -> tuple[Run, ...]:
    return tuple(run.run for run in one.scenarios[trainable])


def _scenario(cohort: Cohort, trainable: int) -> str:
    name = cohort.scenario_name(trainable)
    return name if trainable in cohort.arms else formats.minus(name)


def _range(values: list[float]) -> str:
    return f"{_signed(min(values))} to {_signed(max(values))}" if len(values) > 1 else ""


def _signed(value: float) -> str:
    return formats.minus(f"{100 * value:+.1f}")


def _percent(value: float) -> str:
    return formats.map_(float(value)) if np.isfinite(value) else "–"
