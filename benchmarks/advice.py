"""How often is the recommendation wrong, and does it say so? Simulated studies with known truth.

    python benchmarks/advice.py [--studies 2000] [--files 20]

A recommendation is wrong if its true mean is more than the margin below the true best. "Decided" is
*likely* or *shown*; "decidable" is what one would be as sure of who knew the noise and the best
scenario. The second table adds the runs that `next_runs` asks for until none is left.
The third writes studies as work directories and reads them with `analyze_logs.py recommend`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from _common import parser, report, table
from _studies import SHAPES, Study, draw_study, noise_of, truth_of, write_study
from scipy.special import ndtr

from fzmm.analysis.conclusions.next_runs import MARGIN, seeds_to_add
from fzmm.analysis.statistics.ranking import LIKELY, Ranking, rank

REPOSITORY = Path(__file__).resolve().parent.parent


def main() -> None:
    """Run the simulation and print its tables."""
    arguments = parser(__doc__.splitlines()[0])
    arguments.add_argument("--studies", type=int, default=2000, help="of each shape")
    arguments.add_argument("--files", type=int, default=20, help="of each shape, read as files")
    arguments.add_argument("--sigma", type=float, nargs="+", default=[0.0015, 0.003])
    arguments.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 5])
    arguments.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    args = arguments.parse_args()

    fixed = [
        {"shape": shape, "sigma": sigma, "seeds": seeds, **fixed_seeds(shape, sigma, seeds, args)}
        for sigma in args.sigma
        for shape in args.shapes
        for seeds in args.seeds
    ]
    decided = [
        {"shape": shape, "sigma": sigma, **until_decided(shape, sigma, args)}
        for sigma in args.sigma
        for shape in args.shapes
    ]
    files = [{"shape": shape, **through_files(shape, args)} for shape in args.shapes if args.files]
    text = "\n\n".join(_table(rows) for rows in (fixed, decided, files) if rows)
    report("advice", args, text, {"fixed": fixed, "until_decided": decided, "files": files})


def fixed_seeds(shape: str, sigma: float, seeds: int, args) -> dict[str, float]:
    """Return shares of recommendations that are wrong, decided, shown, and wrong though decided."""
    truth, counts = truth_of(shape), Counter()
    generator = np.random.default_rng(args.seed)
    for _ in range(args.studies):
        study = draw_study(truth, sigma, seeds, generator)
        for true, row, ranking in zip(truth, study, rankings(study), strict=True):
            count(counts, true, ranking)
            counts["decidable"] += decidable(true, row, ranking.chosen, sigma)
    return {**shares(counts), "decidable": counts["decidable"] / counts["total"]}


def decidable(true: np.ndarray, row: dict[int, list[float]], chosen: int, sigma: float) -> bool:
    """Whether one who knew the noise and which scenario is the best would be 80% sure.

    That is a limit to the share that any rule can decide from these runs: it compares two means
    where a recommendation has to guard against five others.
    """
    best = int(np.argmax(true))
    if best == chosen:
        return True
    error = sigma * np.sqrt(1 / len(row[best]) + 1 / len(row[chosen]))
    loss = np.mean(row[best]) - np.mean(row[chosen])
    return bool(ndtr((MARGIN - loss) / error) >= LIKELY)


def until_decided(shape: str, sigma: float, args) -> dict[str, float]:
    """Return the same after all the runs that were asked for, with the mean number of runs."""
    truth, counts, runs = truth_of(shape), Counter(), 0
    generator = np.random.default_rng(args.seed)
    for _ in range(args.studies):
        study = draw_study(truth, sigma, 2, generator)
        while add_next_runs(study, truth, sigma, generator):
            pass
        for true, ranking in zip(truth, rankings(study), strict=True):
            count(counts, true, ranking)
        runs += sum(len(cell) for row in study for cell in row.values())
    return {**shares(counts), "runs": runs / args.studies}


def add_next_runs(study: Study, truth: np.ndarray, sigma: float, generator) -> int:
    """Draw the runs of one round; return how many."""
    added = 0
    for true, row, ranking in zip(truth, study, rankings(study), strict=True):
        for k in seeds_to_add(ranking):
            row[k].append(true[k] + sigma * generator.standard_normal())
            added += 1
    return added


def rankings(study: Study) -> list[Ranking]:
    """Rank each data amount of a study."""
    noise = noise_of(study)
    return [rank(row, noise, MARGIN) for row in study]


def count(counts: Counter, true: np.ndarray, ranking: Ranking) -> None:
    """Count one recommendation."""
    chosen = ranking.chosen
    wrong = true.max() - true[chosen] > MARGIN + 1e-12
    shown = ranking.largest_loss.get(chosen, np.inf) <= MARGIN
    decided = shown or ranking.probability_within.get(chosen, 0) >= LIKELY
    counts.update(
        total=1,
        wrong=int(wrong),
        decided=int(decided),
        wrong_though_decided=int(wrong and decided),
        shown=int(shown),
        wrong_though_shown=int(wrong and shown),
    )


def shares(counts: Counter) -> dict[str, float]:
    """Return the counts as shares; of the decided and the shown for those that are wrong."""
    return {
        "wrong": counts["wrong"] / counts["total"],
        "decided": counts["decided"] / counts["total"],
        "wrong_though_decided": counts["wrong_though_decided"] / max(counts["decided"], 1),
        "shown": counts["shown"] / counts["total"],
        "wrong_though_shown": counts["wrong_though_shown"] / max(counts["shown"], 1),
    }


def through_files(shape: str, args) -> dict[str, float]:
    """Return what the command says of written studies (sigma 0.3 pp, three seeds)."""
    truth, counts = truth_of(shape), Counter()
    generator = np.random.default_rng(args.seed)
    for _ in range(args.files):
        study = draw_study(truth, 0.003, 3, generator)
        for true, ranking, item in zip(truth, rankings(study), _recommended(study), strict=True):
            wrong = true.max() - true[item["trainable_stages"]] > MARGIN + 1e-12
            decided = item["status"] in ("likely", "shown")
            same = item["trainable_stages"] == ranking.chosen
            counts.update(total=1, wrong=int(wrong), decided=int(decided), as_simulated=int(same))
            counts["wrong_though_decided"] += int(wrong and decided)
    return {
        "recommendations": counts["total"],
        "as_simulated": counts["as_simulated"] / counts["total"],
        "wrong": counts["wrong"] / counts["total"],
        "decided": counts["decided"] / counts["total"],
        "wrong_though_decided": counts["wrong_though_decided"] / max(counts["decided"], 1),
    }


def _recommended(study: Study) -> list[dict]:
    with tempfile.TemporaryDirectory() as folder:
        write_study(Path(folder), study)
        command = [sys.executable, "tools/analyze_logs.py", "recommend", folder, "--json"]
        done = subprocess.run(command, capture_output=True, check=True, cwd=REPOSITORY)
    return json.loads(done.stdout)["cohorts"][0]["recommendations"]


def _table(rows: list[dict]) -> str:
    return table(list(rows[0]), [[_cell(value) for value in row.values()] for row in rows])


def _cell(value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
