"""How often is a finding said to hold where it is just false? Simulated studies of runs.

    python benchmarks/false_findings.py [--studies 500]

For each claim the truth is set to the edge of the claim (no difference, half of the gain, a stage
that costs nothing, ...) and everything else as the thesis found it. Three data amounts, six
scenarios; a run's level, gain at the decay, slopes and time have normal noise, and so has each
evaluation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from _common import parser, report, table

from fzmm.analysis.conclusions.findings.claims import HOLDS, POINTS
from fzmm.analysis.conclusions.findings.decay import decay
from fzmm.analysis.conclusions.findings.overtraining import ALMOST_NONE, overtraining
from fzmm.analysis.conclusions.findings.scratch import scratch
from fzmm.analysis.conclusions.findings.training_time import LOST, training_time
from fzmm.analysis.conclusions.findings.unfreezing import unfreezing
from fzmm.analysis.reading.log import Log
from fzmm.analysis.reading.run import Dataset, Run, TrainingSchedule
from fzmm.analysis.statistics.cohorts import cohorts

EVALUATIONS = 52
LENGTH = 52_000
DECAYS = (32_000, 44_000)
FRACTIONS = (1.0, 0.5, 0.25)
EVALUATION_NOISE = 0.001
RUN_NOISE = {"level": 0.003, "gain": 0.002, "fall": 0.002, "second": 0.0005, "time": 0.015}


@dataclass(frozen=True)
class Truth:
    """What is true of each data amount and scenario, arrays of shape (3, 6); mAP as fractions.

    Attributes:
        level: mAP right after the first decay.
        gain: mAP gained at that decay.
        fall: mAP lost from there to the second decay.
        second: mAP lost after it.
        rise: What the training-split mAP gains from decay to decay.
        hours: Training time.
    """

    level: np.ndarray
    gain: np.ndarray
    fall: np.ndarray
    second: np.ndarray
    rise: np.ndarray
    hours: np.ndarray


def thesis_truth() -> Truth:
    """Return a truth in which every claim holds."""
    stages = np.arange(6)
    spreads = np.array([0.07, 0.04, 0.015])[:, None]
    falls = np.array([0.0, 0.015, 0.02])[:, None]
    return Truth(
        level=0.25 + spreads * (1 - 0.5**stages) / (1 - 0.5**5),
        gain=np.where(stages < 2, 0.02, 0.04) * np.ones((3, 1)),
        fall=falls * np.array([0, 1, 1, 1, 1, 1]),
        second=0.25 * falls * np.array([0, 1, 1, 1, 1, 1]),
        rise=np.full((3, 6), 0.05),
        hours=np.array([47.0, 50.5, 54.0, 57.5, 60.5, 60.5]) * np.ones((3, 1)),
    )


def claims() -> dict[str, tuple[Callable, Truth]]:
    """Return for each claim the finding that makes it and a truth at whose edge it lies."""
    truth, at_three = thesis_truth(), np.array([0.0, 0.25, 0.5, 0.5, 0.75, 1.0])
    same = np.full((3, 6), 0.015)
    # falls would lower the best of a noisy curve by different amounts
    flat = replace(truth, fall=0 * same, second=0 * same)
    frozen = np.where(np.arange(6) == 0, ALMOST_NONE, truth.fall)
    hours = truth.hours.copy()
    hours[:, 2] = hours[:, 1]
    stem = truth.hours.copy()
    stem[:, 5] = stem[:, 4] * (1 + LOST)
    no_gain = truth.gain.copy()
    no_gain[1, 3] = 0.0
    half = 0.25 + np.array([0.07, 0.04, 0.015])[:, None] * at_three
    return {
        "grows": (overtraining, replace(truth, fall=same, second=same / 4)),
        "little_when_frozen": (overtraining, replace(truth, fall=frozen)),
        "shrinks": (unfreezing, replace(flat, level=truth.level[[2, 2, 2]])),
        "most_by_three": (unfreezing, replace(truth, level=half)),
        "rises": (training_time, replace(truth, hours=hours)),
        "stem_is_lost": (training_time, replace(truth, hours=stem)),
        "lifts_all": (decay, replace(truth, gain=no_gain)),
        "less_with_few_stages": (decay, replace(truth, gain=same)),
        "then_falls": (decay, replace(truth, fall=0 * same, second=0 * same)),
        "second_slows": (decay, replace(truth, fall=same, second=same * 8 / 12)),
    }


def main() -> None:
    """Run the simulation and print its table."""
    arguments = parser(__doc__.splitlines()[0])
    arguments.add_argument("--studies", type=int, default=500, help="of each claim")
    arguments.add_argument("--seeds", type=int, nargs="+", default=[1, 3])
    args = arguments.parse_args()

    rows = [
        {"claim": key, "seeds": seeds, **false_holds(key, finding, truth, seeds, args)}
        for seeds in args.seeds
        for key, (finding, truth) in claims().items()
    ]
    rows += [{"claim": key, "seeds": 3, **_scratch_holds(key, args)} for key in ("lower", "later")]
    rows += [{"claim": f"{key} (true)", "seeds": 3, **_power(key, args)} for key in claims()]
    shown = [[row["claim"], row["seeds"], row["holds"], row["points"]] for row in rows]
    report("false_findings", args, table(["claim", "seeds", HOLDS, POINTS], shown), {"rows": rows})


def false_holds(key: str, finding: Callable, truth: Truth, seeds: int, args) -> dict[str, float]:
    """Return the shares of studies in which a claim holds or is pointed to."""
    generator, verdicts = np.random.default_rng(args.seed), Counter()
    for _ in range(args.studies):
        (cohort,) = cohorts(draw_runs(truth, seeds, generator))
        verdicts[{claim.key: claim for claim in finding(cohort).claims}[key].verdict] += 1
    return {"holds": verdicts[HOLDS] / args.studies, "points": verdicts[POINTS] / args.studies}


def _power(key: str, args) -> dict[str, float]:
    return false_holds(key, claims()[key][0], thesis_truth(), 3, args)


def _scratch_holds(key: str, args) -> dict[str, float]:
    """Compare unfrozen runs with runs called from scratch that are drawn in the same way."""
    truth, generator, verdicts = thesis_truth(), np.random.default_rng(args.seed), Counter()
    for _ in range(args.studies):
        runs = draw_runs(truth, 3, generator)
        runs += [
            replace(run, initialisation="scratch")
            for run in draw_runs(truth, 3, generator)
            if run.trainable == 5 and run.fraction == 1.0
        ]
        cohort, *others = cohorts(runs)
        verdicts[{c.key: c for c in scratch(cohort, others).claims}[key].verdict] += 1
    return {"holds": verdicts[HOLDS] / args.studies, "points": verdicts[POINTS] / args.studies}


def draw_runs(truth: Truth, seeds: int, generator) -> list[Run]:
    """Return the runs of one study, with their noise."""
    return [
        _run(truth, amount, k, seed, generator)
        for amount in range(3)
        for k in range(6)
        for seed in range(seeds)
    ]


def _run(truth: Truth, amount: int, k: int, seed: int, generator) -> Run:
    off = {name: sigma * generator.standard_normal() for name, sigma in RUN_NOISE.items()}
    at = (amount, k)
    level, gain = truth.level[at] + off["level"], truth.gain[at] + off["gain"]
    fall, second = truth.fall[at] + off["fall"], truth.second[at] + off["second"]
    steps = np.linspace(LENGTH / EVALUATIONS, LENGTH, EVALUATIONS).round().astype(np.int64)
    knots = (0, *DECAYS, LENGTH)
    before = np.interp(steps, (0, DECAYS[0]), (level - gain - 0.05, level - gain))
    after = np.interp(steps, knots[1:], (level, level - fall, level - fall - second))
    train = np.interp(steps, knots[1:], (level, level + truth.rise[at], level + truth.rise[at]))
    values = np.where(steps <= DECAYS[0], before, after)
    values = values + EVALUATION_NOISE * generator.standard_normal(EVALUATIONS)
    train = train + EVALUATION_NOISE * generator.standard_normal(EVALUATIONS)
    seconds = 3600 * truth.hours[at] * np.exp(off["time"])
    log = Log(
        steps=steps[-1:],
        train={"train_time": np.array([seconds])},
        eval_steps=steps,
        eval_epochs=np.full(EVALUATIONS, np.nan),
        evals={"coco/bbox_mAP": values, "train_split/bbox_mAP": train},
        epochs=np.full(1, np.nan),
    )
    return Run(
        name=f"{amount}-{k}-{seed}",
        folder=Path(f"{amount}-{k}-{seed}"),
        dataset="simulated",
        data_amount=f"share{FRACTIONS[amount]}",
        fraction=FRACTIONS[amount],
        train=Dataset(ann_file=f"{amount}.json", images=round(100_000 * FRACTIONS[amount])),
        val=Dataset(ann_file="val.json"),
        frozen_stages=4 - k,
        initialisation="pretrained",
        seed=seed,
        schedule=TrainingSchedule(length=LENGTH),
        metric="coco/bbox_mAP",
        log=log,
        milestones=DECAYS,
        max_iterations=LENGTH,
        finished=True,
    )


if __name__ == "__main__":
    main()
