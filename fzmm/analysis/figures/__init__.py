"""The report's figures, one a file, and the list of them.

Drawing imports matplotlib, so that each figure's module is imported only when it is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from fzmm.analysis.conclusions.cohort_conclusions import CohortConclusions


@dataclass(frozen=True)
class FigureEntry:
    """A figure of the report.

    Attributes:
        key: File name without ending.
        title: What it shows.
        reference: Its place in the thesis; empty if it is not in it.
        module: Module of this package with a function ``draw``.
        needs: What runs it needs, said when it cannot be drawn.
        caption: How to read it.
        arguments: Further arguments of ``draw`` after the conclusions.
    """

    key: str
    title: str
    reference: str
    module: str
    needs: str
    caption: str
    arguments: tuple = ()

    def draw(self, conclusions: CohortConclusions):
        """Return the matplotlib figure, or None where the runs do not hold its data."""
        module = import_module(f"fzmm.analysis.figures.{self.module}")
        return module.draw(conclusions, *self.arguments)


FIGURES = (
    FigureEntry(
        "trade-off",
        "What each trainable stage costs and gives",
        "",
        "trade_off",
        "finished runs of two scenarios with times",
        "Up is better, left is cheaper. Means over repeats.",
    ),
    FigureEntry(
        "best-last-map",
        "Best and last mAP against trainable stages",
        "Figure 10",
        "map_by_stages",
        "finished runs of two scenarios",
        "Filled marks: best mAP of a run; open marks: mAP of its last evaluation. The distance "
        "between them is what training on has cost. Means over repeats.",
    ),
    FigureEntry(
        "learning-curve",
        "Best mAP against the amount of data",
        "",
        "learning_curve",
        "finished runs on two data amounts",
        "Each mark is the best scenario of a data amount with its 95% interval, where there are "
        "repeats. Beyond the largest amount the curve is a prediction.",
    ),
    FigureEntry(
        "map-curves",
        "Validation mAP over training, all scenarios",
        "Figure 14",
        "map_curves",
        "runs with two evaluations",
        "A line for each scenario, the mean over its repeats; bands span the lowest to the "
        "highest.",
    ),
    FigureEntry(
        "train-val-3-trainable",
        "Training and validation mAP over training, 3 trainable stages",
        "Figure 11",
        "train_val_curves",
        "runs with frozen_stages=1 that log train_split/bbox_mAP",
        "Where the two part and validation falls, the model memorises its training images.",
        (3,),
    ),
    FigureEntry(
        "train-val-0-trainable",
        "Training and validation mAP over training, 0 trainable stages",
        "Figure 12",
        "train_val_curves",
        "runs with frozen_stages=4 that log train_split/bbox_mAP",
        "The same with the whole backbone frozen.",
        (0,),
    ),
    FigureEntry(
        "train-val-5-trainable",
        "Training and validation mAP over training, unfrozen",
        "",
        "train_val_curves",
        "runs with frozen_stages=-1 that log train_split/bbox_mAP",
        "The same with nothing frozen.",
        (5,),
    ),
    FigureEntry(
        "map-by-share",
        "Validation mAP over the share of training",
        "Figure 16",
        "map_by_share",
        "runs of one scenario on two data amounts",
        "One scenario on every data amount: what the decays do with less data.",
    ),
    FigureEntry(
        "training-time",
        "Training time against trainable stages",
        "Figure 13",
        "time_by_stages",
        "finished runs of two scenarios with times",
        "Time in training steps only: no data loading, validation or checkpoints. Small open marks "
        "are single repeats.",
    ),
    FigureEntry(
        "repeats",
        "Repeats of the same set-up",
        "Figure 8",
        "repeats",
        "a scenario run with two seeds",
        "Grey marks are single runs that differ in the seed alone; lines are their means.",
        ("repeats",),
    ),
    FigureEntry(
        "subset-variations",
        "Subsets of the same size",
        "Figure 9",
        "repeats",
        "runs on two subsets of one size",
        "Grey marks are runs on different subsets (the first seed of each); lines are their means.",
        ("subsets",),
    ),
    FigureEntry(
        "pretrained-scratch",
        "Pretrained against from scratch",
        "Figure 17",
        "pretrained_scratch",
        "an unfrozen pretrained run and one from scratch on the same data",
        "Their schedules differ by design; each curve has its own decays.",
    ),
    FigureEntry(
        "class-counts",
        "Instances of the most frequent classes",
        "Figure 2",
        "classes",
        "the annotation files that the runs were trained on, unchanged, where the runs found them "
        "(tools/make_subsets.py also draws it)",
        "Counted in the annotation files of the runs.",
        ("counts",),
    ),
    FigureEntry(
        "class-shares",
        "Share of every class",
        "Figure 7",
        "classes",
        "the annotation files that the runs were trained on, unchanged, where the runs found them "
        "(tools/make_subsets.py also draws it)",
        "The thesis found a difference of 0.005 pp at most between a subset and the full set.",
        ("shares",),
    ),
)
