"""Simulated studies with known truth: three data amounts, six scenarios, normal noise."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from fzmm.analysis.statistics.noise import Noise, noise_of_values

# True best mAP in percent of 0 to 5 trainable stages, for the full, half and quarter data amount.
SHAPES = {
    # the thesis's Figure 10 (see tests/analysis/synthetic.py)
    "thesis": (
        (30.6, 33.5, 36.2, 37.3, 37.6, 37.7),
        (28.0, 29.9, 31.3, 31.8, 31.9, 32.0),
        (23.9, 24.6, 25.1, 25.4, 25.2, 25.0),
    ),
    "saturating": tuple(
        tuple(top - rise * 0.5**k for k in range(6)) for top, rise in ((36, 4), (32, 3), (25, 2))
    ),
    "flat": ((30.0,) * 6,) * 3,
    "linear": tuple(
        tuple(low + step * k for k in range(6)) for low, step in ((30, 0.5), (28, 0.35), (25, 0.2))
    ),
    "peak": (
        (34.0, 35.0, 36.0, 36.5, 36.2, 35.6),
        (31.0, 31.6, 31.9, 31.7, 31.2, 30.6),
        (25.5, 25.3, 25.0, 24.6, 24.2, 23.8),
    ),
    "step": (
        (30.0, 30.0, 35.0, 35.0, 35.0, 35.0),
        (29.0, 32.0, 32.0, 32.0, 32.0, 32.0),
        (25.0, 25.0, 25.0, 25.0, 25.0, 25.6),
    ),
}
AMOUNTS = ("coco100", "coco50", "coco25-1")

Study = list[dict[int, list[float]]]


def truth_of(shape: str) -> np.ndarray:
    """Return the true best mAP as fractions, shape (amounts, scenarios)."""
    return np.array(SHAPES[shape]) / 100


def draw_study(truth: np.ndarray, sigma: float, seeds: int, generator) -> Study:
    """Return the best mAP of each run: for each data amount, values by trainable stages."""
    values = truth[..., None] + sigma * generator.standard_normal((*truth.shape, seeds))
    return [{k: list(cell) for k, cell in enumerate(row)} for row in values]


def noise_of(study: Study) -> Noise | None:
    """Return the noise that is pooled over a study's set-ups."""
    return noise_of_values([cell for row in study for cell in row.values()])


def _writer():
    """Load the tests' writer of work directories."""
    path = Path(__file__).resolve().parent.parent / "tests" / "analysis" / "synthetic.py"
    spec = importlib.util.spec_from_file_location("synthetic", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def thesis_curves(amount: str, k: int) -> tuple:
    """Return iterations, validation and training-split mAP, and the first decay's iteration.

    They have the thesis's gains at the decay and gaps between best and last mAP.
    """
    synthetic = _writer()
    return (*synthetic.curve(amount, k), synthetic.DECAYS[0])


def write_study(root: Path, study: Study) -> None:
    """Write a study as work directories; every run's best evaluation has its mAP."""
    synthetic = _writer()
    steps = [round(synthetic.LENGTH * share) for share in (0.25, 0.5, 0.75, 0.9, 1.0)]
    for amount, row in zip(AMOUNTS, study, strict=True):
        for k, values in row.items():
            for seed, value in enumerate(values):
                curve = [value * share for share in (0.7, 0.9, 1.0, 0.999, 0.999)]
                synthetic.write_run(
                    root, amount, k, seed, "simulated", (steps, curve, curve), interval=60_000
                )
