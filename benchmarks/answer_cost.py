r"""What an answer costs: stock MMDetection with a fixed number of seeds, beside fzmm.

    python benchmarks/answer_cost.py [--study WORK_DIRS --study-steps FILE] [--steps FILE]

Stock runs every set-up with the same number of seeds, to the end of the schedule. fzmm runs two
seeds, then those that `next_runs` asks for until none is left, ends a run that only over-fits
(`OverfitStopHook`, whose evaluations of the training split are counted) and computes with the
modules that are faster. Both recommend by the same rule. The number of seeds that stock needs is
the least with which it is as seldom wrong as fzmm. All prices are core-seconds an image, training
and validation, read from a file that `train_step.py` has written:

    OMP_NUM_THREADS=1 python benchmarks/train_step.py --modes "stock fp32" "fzmm fp32" \
        --validation --no-memory --threads 1 --size 240 320 --json FILE

``--study`` takes the runs of a real study for the truth, in place of the simulated ones: their
means, their pooled noise (``--sigma`` where no set-up has two seeds) and how each run rose and
fell. Its own detector is timed with ``train_step.py --config``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _answer_truths import Curve, SetUp, StudyTruth, all_shapes, of_runs
from _common import parser, report, table

from fzmm.analysis.conclusions.next_runs import MARGIN, seeds_to_add
from fzmm.analysis.statistics.noise import noise_of_values
from fzmm.analysis.statistics.ranking import rank

STEPS = Path(__file__).parent / "measured" / "steps_r50_240x320.json"
STOCK, FASTER = "stock fp32", "fzmm fp32"
MOST_SEEDS = 100  # of stock; more is no plan
USUAL_SEEDS = 3


@dataclass(frozen=True)
class Prices:
    """Core-seconds an image: of training and of validation, by mode and ``frozen_stages``."""

    training: dict[str, dict[int, float]]
    validation: dict[str, dict[int, float]]

    def of_run(self, mode: str, set_up: SetUp, curve: Curve, val_images: int, stopped: bool):
        """Return the core-seconds of a run.

        Args:
            mode: ``STOCK`` or ``FASTER``.
            set_up: What is run.
            curve: How the run goes.
            val_images: Images of a validation.
            stopped: Whether it ends where it only over-fits; the training split is then evaluated.
        """
        share = curve.stopped_share if stopped else 1.0
        evaluations = curve.stops_after if stopped else curve.evaluations
        images = val_images + (set_up.split_images if stopped else 0)
        training = share * set_up.images * _price(self.training[mode], set_up.frozen_stages)
        validation = evaluations * images * _price(self.validation[mode], set_up.frozen_stages)
        return training + validation


def _price(by_stage: dict[int, float], frozen_stages: int) -> float:
    """Return a price; between two that were measured it falls evenly."""
    known = sorted(by_stage)
    return float(np.interp(frozen_stages, known, [by_stage[k] for k in known]))


def main() -> None:
    """Simulate and print the table."""
    arguments = parser(__doc__.splitlines()[0])
    arguments.add_argument(
        "--steps", type=Path, default=STEPS, help=f"JSON of train_step.py (default: {STEPS.name})"
    )
    arguments.add_argument("--studies", type=int, default=500, help="of each truth")
    arguments.add_argument("--sigma", type=float, nargs="+", default=[0.0015, 0.003])
    arguments.add_argument("--study", type=Path, help="work directories of a real study")
    arguments.add_argument("--study-steps", type=Path, help="JSON of its detector's steps")
    args = arguments.parse_args()
    if bool(args.study) != bool(args.study_steps):
        arguments.error("--study and --study-steps belong together")

    rows, prices = [], read_prices(args.steps)
    for sigma in args.sigma if not args.study else ():
        measured = [measure(truth, prices, args) for truth in all_shapes([sigma])]
        rows += [compare([one]) for one in measured] + [compare(measured)]
    if args.study:
        prices = read_prices(args.study_steps)
        truths = of_runs(args.study, args.sigma)
        rows += [compare([measure(truth, prices, args)]) for truth in truths]
    report("answer_cost", args, table(HEADERS, [cells(row) for row in rows]), {"rows": rows})


def read_prices(file: Path) -> Prices:
    """Read what ``train_step.py --validation --json`` measured.

    Raises:
        SystemExit: If the file lacks one of the modes or the validation.
    """
    record = json.loads(file.read_text())
    batch = record["options"]["batch_size"]
    prices = Prices({STOCK: {}, FASTER: {}}, {STOCK: {}, FASTER: {}})
    for result in record["results"]:
        for mode in (STOCK, FASTER):
            row = result["modes"].get(mode, {})
            if "validation_cpu_seconds" not in row:
                raise SystemExit(f"error: {file}: no validation of {mode!r} was timed")
            frozen = result["frozen_stages"]
            prices.training[mode][frozen] = row["cpu_seconds"]["median"] / batch
            prices.validation[mode][frozen] = row["validation_cpu_seconds"]["median"] / batch
    return prices


@dataclass(frozen=True)
class Measured:
    """What both ways did with one truth.

    Attributes:
        truth: The truth.
        ours: Errors, runs and core-seconds of fzmm; see `decided`.
        errors: Share of wrong recommendations of stock with 1, 2 ... seeds.
        once: Core-seconds of one seed of every set-up with stock.
    """

    truth: StudyTruth
    ours: dict[str, float]
    errors: np.ndarray
    once: float


def measure(truth: StudyTruth, prices: Prices, args) -> Measured:
    """Simulate both ways."""
    return Measured(
        truth,
        decided(truth, prices, args.studies, args.seed),
        errors_by_seeds(truth, args.seed),
        float(stock_once(truth, prices)),
    )


def compare(measured: Sequence[Measured]) -> dict:
    """Return what both ways cost, mean over some truths of equal weight."""
    result = {key: float(np.mean([one.ours[key] for one in measured])) for key in measured[0].ours}
    errors = np.mean([one.errors for one in measured], axis=0)
    enough = np.flatnonzero(errors <= result["wrong"])
    seeds = int(enough[0]) + 1 if len(enough) else MOST_SEEDS
    once = float(np.mean([one.once for one in measured]))
    set_ups = float(np.mean([sum(map(len, one.truth.set_ups)) for one in measured]))
    return {
        "study": measured[0].truth.name if len(measured) == 1 else "all shapes",
        "sigma": measured[0].truth.sigma,
        **result,
        "stock_seeds": seeds,
        "stock_is_as_seldom_wrong": bool(len(enough)),
        "stock_runs": seeds * set_ups,
        "stock_seconds": seeds * once,
        "share": result["seconds"] / (seeds * once),
        "share_by_runs": result["stock_seconds_of_its_runs"] / (seeds * once),
        "share_with_stop": result["stock_seconds_stopped"] / (seeds * once),
        "usual_wrong": float(errors[USUAL_SEEDS - 1]),
        "share_of_usual": result["seconds"] / (USUAL_SEEDS * once),
    }


def errors_by_seeds(truth: StudyTruth, seed: int, draws: int = 10_000) -> np.ndarray:
    """Return the share of wrong recommendations with 1, 2 ... seeds of every set-up."""
    generator, errors = np.random.default_rng(seed), np.zeros(MOST_SEEDS)
    for best in truth.best_maps:
        noise = generator.standard_normal((draws, len(best)))
        for seeds in range(1, MOST_SEEDS + 1):
            means = best + truth.sigma / np.sqrt(seeds) * noise
            within = means.max(1, keepdims=True) - means <= MARGIN + 1e-12
            errors[seeds - 1] += np.mean(is_wrong(best, within.argmax(1)))
    return errors / len(truth.set_ups)


def is_wrong(best: np.ndarray, chosen):
    """Whether scenarios lose more than the margin."""
    return best.max() - best[chosen] > MARGIN + 1e-12


def stock_once(truth: StudyTruth, prices: Prices) -> float:
    """Return the core-seconds of one seed of every set-up with stock modules, to the end."""
    return sum(
        np.mean([prices.of_run(STOCK, one, c, truth.val_images, False) for c in one.curves])
        for row in truth.set_ups
        for one in row
    )


def decided(truth: StudyTruth, prices: Prices, studies: int, seed: int) -> dict[str, float]:
    """Return errors, runs and core-seconds until no run is asked for any more.

    ``stock_seconds_of_its_runs`` is what the same runs would cost with stock modules and to the
    end, ``stock_seconds_stopped`` with stock modules alone.
    """
    generator = np.random.default_rng(seed)
    total = dict.fromkeys(
        ("wrong", "runs", "seconds", "stock_seconds_of_its_runs", "stock_seconds_stopped"), 0.0
    )
    for _ in range(studies):
        study = Simulation(truth, prices, generator)
        while study.add_next_runs():
            pass
        total["wrong"] += study.wrong() / len(truth.set_ups)
        total["runs"] += sum(len(cell) for row in study.values for cell in row.values())
        total["seconds"] += study.seconds[FASTER, True]
        total["stock_seconds_of_its_runs"] += study.seconds[STOCK, False]
        total["stock_seconds_stopped"] += study.seconds[STOCK, True]
    return {key: value / studies for key, value in total.items()}


class Simulation:
    """One study, run round by round.

    Attributes:
        values: Best mAP of each run, for each data amount by scenario.
        seconds: Core-seconds so far by mode and whether runs are stopped.
    """

    def __init__(self, truth: StudyTruth, prices: Prices, generator):
        """Run two seeds of everything."""
        self.truth, self.prices, self.generator = truth, prices, generator
        self.values = [{k: [] for k in range(len(row))} for row in truth.set_ups]
        self.seconds = {(STOCK, False): 0.0, (STOCK, True): 0.0, (FASTER, True): 0.0}
        for amount, row in enumerate(truth.set_ups):
            for k in range(len(row)):
                self._run(amount, k)
                self._run(amount, k)

    def rankings(self) -> list:
        """Rank the scenarios of each data amount."""
        noise = noise_of_values([cell for row in self.values for cell in row.values()])
        return [rank(row, noise, MARGIN) for row in self.values]

    def add_next_runs(self) -> int:
        """Make the runs of one round; return how many."""
        following = [
            (amount, k)
            for amount, ranking in enumerate(self.rankings())
            for k in seeds_to_add(ranking)
        ]
        for amount, k in following:
            self._run(amount, k)
        return len(following)

    def wrong(self) -> int:
        """Return how many recommendations lose more than the margin."""
        pairs = zip(self.truth.best_maps, self.rankings(), strict=True)
        return sum(bool(is_wrong(best, ranking.chosen)) for best, ranking in pairs)

    def _run(self, amount: int, k: int) -> None:
        set_up = self.truth.set_ups[amount][k]
        curve = set_up.curves[self.generator.integers(len(set_up.curves))]
        noise = self.truth.sigma * self.generator.standard_normal()
        self.values[amount][k].append(set_up.best_map + noise - curve.lost)
        for mode, stopped in self.seconds:
            self.seconds[mode, stopped] += self.prices.of_run(
                mode, set_up, curve, self.truth.val_images, stopped
            )


HEADERS = [
    "study", "sigma, pp", "wrong, fzmm", "runs", "core-hours", "seeds of stock", "runs",
    "core-hours", "fzmm / stock", "by next runs alone", "and stopping", "stock's 3 seeds wrong",
    "fzmm / these",
]  # fmt: skip


def cells(row: dict) -> list[str]:
    """Return a row of the table."""
    seeds = f"{row['stock_seeds']}" if row["stock_is_as_seldom_wrong"] else f"> {MOST_SEEDS}"
    return [
        row["study"],
        f"{100 * row['sigma']:.2g}",
        f"{row['wrong']:.1%}",
        f"{row['runs']:.1f}",
        f"{row['seconds'] / 3600:,.3g}",
        seeds,
        f"{row['stock_runs']:.0f}",
        f"{row['stock_seconds'] / 3600:,.3g}",
        f"{row['share']:.2f}",
        f"{row['share_by_runs']:.2f}",
        f"{row['share_with_stop']:.2f}",
        f"{row['usual_wrong']:.1%}",
        f"{row['share_of_usual']:.2f}",
    ]


if __name__ == "__main__":
    main()
