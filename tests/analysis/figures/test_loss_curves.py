"""Losses over training: a panel for each scenario, the mean of its repeats and their range."""

import json

import numpy as np

from fzmm.analysis.conclusions.cohort_conclusions import conclude
from fzmm.analysis.figures.curves.loss_curves import FIGURES
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.statistics.cohorts import cohorts
from tests.analysis import synthetic

EVALUATIONS = ([100_000, 200_000, 300_000], [0.2, 0.3, 0.29], [0.2, 0.4, 0.5])


def run_with_losses(root, amount, trainable, seed, val_losses):
    folder = synthetic.write_run(
        root, amount, trainable, seed, evaluations=EVALUATIONS, interval=50_000
    )
    for path in folder.glob("*/vis_data/*.json"):
        values, lines = iter(val_losses), []
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if "coco/bbox_mAP" in row:
                row["val/loss"] = next(values)
            lines.append(json.dumps(row))
        path.write_text("\n".join(lines) + "\n")


def drawn(root):
    (conclusions,) = conclude(cohorts(read_runs(root)))
    return [entry.draw(conclusions) for entry in FIGURES]


def test_a_panel_for_each_scenario_with_the_repeats_mean_and_range(tmp_path):
    for amount in ("coco100", "coco25-1"):
        for trainable in (3, 5):
            for seed, shift in ((0, 0.0), (1, 0.2)):
                losses = [1 + shift + trainable, 0.8 + shift, 1.1 + shift]
                run_with_losses(tmp_path, amount, trainable, seed, losses)
    largest, smallest = drawn(tmp_path)
    assert largest.axes[0].get_ylabel() == "loss, coco100"
    assert smallest.axes[0].get_ylabel() == "loss, coco25-1"
    assert [axis.get_title() for axis in largest.axes] == ["3 trainable", "5 trainable"]
    for axis, trainable in zip(largest.axes, (3, 5), strict=True):
        train, validation = axis.lines[:2]
        assert validation.get_xdata().tolist() == EVALUATIONS[0]
        assert np.allclose(validation.get_ydata(), [1.1 + trainable, 0.9, 1.2])
        assert np.allclose(train.get_ydata()[0], (1 / 2 + 1 / 3) / 2, atol=1e-5)
        assert len(axis.collections) == 2  # a band each
    assert len(largest.runs) == 4


def test_runs_without_validation_losses_draw_none(tmp_path):
    for trainable in (3, 5):
        synthetic.write_run(tmp_path, "coco100", trainable, evaluations=EVALUATIONS)
    assert drawn(tmp_path) == [None, None]
    run_with_losses(tmp_path, "coco50", 3, 0, [3.0, 2.0, 1.0])
    largest, smallest = drawn(tmp_path)
    assert largest.axes[0].get_ylabel() == "loss, coco50" and smallest is None
    assert [axis.get_title() for axis in largest.axes] == ["3 trainable"]
