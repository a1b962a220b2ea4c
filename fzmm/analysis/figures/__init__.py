"""The report's figures, one a file, and the list of them.

Drawing imports matplotlib, so that each figure's module is imported only when it is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from fzmm.analysis.groups import Cohort


@dataclass(frozen=True)
class FigureEntry:
    """A figure of the report.

    Attributes:
        key: File name without ending.
        title: What it shows.
        reference: Its place in the thesis; empty if it is not in it.
        module: Module of this package with a function ``draw``.
        arguments: Further arguments of ``draw`` after the cohort.
        needs: What runs it needs, said when it cannot be drawn.
        caption: How to read it.
    """

    key: str
    title: str
    reference: str
    module: str
    needs: str
    caption: str
    arguments: tuple = ()

    def draw(self, cohort: Cohort, others: list[Cohort]):
        """Return the matplotlib figure, or None where the runs do not hold its data."""
        draw: Callable = import_module(f"fzmm.analysis.figures.{self.module}").draw
        extra = (others,) if self.module == "pretrained_scratch" else ()
        return draw(cohort, *self.arguments, *extra)


FIGURES = (
    FigureEntry(
        "best-last-map",
        "Best and last mAP against trainable stages",
        "Figure 10",
        "map_by_stages",
        "finished runs of two scenarios",
        "Filled marks: best mAP of a run; open marks: mAP of its last evaluation. The distance "
        "between them is what training on has cost. Means over runs.",
    ),
    FigureEntry(
        "training-time",
        "Training time against trainable stages",
        "Figure 13",
        "time_by_stages",
        "finished runs of two scenarios with times",
        "Time in training steps only: no data loading, validation or checkpoints.",
    ),
    FigureEntry(
        "map-curves",
        "Validation mAP over training, all scenarios",
        "Figure 14",
        "map_curves",
        "runs with two evaluations",
        "A line for each scenario, the mean over its runs; bands span the lowest to the highest.",
    ),
    FigureEntry(
        "train-val-3-trainable",
        "Training and validation mAP, 3 trainable stages",
        "Figure 11",
        "train_val_curves",
        "runs with frozen_stages=1 and training-split mAP",
        "Where the two part and validation falls, the model memorises its training images.",
        (3,),
    ),
    FigureEntry(
        "train-val-0-trainable",
        "Training and validation mAP, 0 trainable stages",
        "Figure 12",
        "train_val_curves",
        "runs with frozen_stages=4 and training-split mAP",
        "The same with the whole backbone frozen.",
        (0,),
    ),
)
