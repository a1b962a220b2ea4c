"""Train a toy scenario with and without the fast recipe, over several seeds, and compare the mAP.

    make demo                                   # once: the toy dataset and its pretrained backbone
    python benchmarks/toy_training.py
    python benchmarks/toy_training.py --config configs/toy/toy25_frozen4.py --seeds 0 1 2 3

Every run is a real one, by ``tools/train.py``, in a work directory of its own.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _common

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Train and print."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/toy/toy100_frozen2.py")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    runs = {"stock": [], "fast": []}
    with tempfile.TemporaryDirectory() as folder:
        for seed in args.seeds:  # in turn, as in the other benchmarks
            for mode, results in runs.items():
                results.append(train(args.config, mode, seed, Path(folder) / f"{mode}{seed}"))
                print(f"{mode}, seed {seed}: {results[-1]}", file=sys.stderr)
    rows = [
        [
            mode,
            ", ".join(f"{run['mAP']:.3f}" for run in results),
            f"{statistics.mean(run['mAP'] for run in results):.3f}",
            f"{statistics.median(run['seconds'] for run in results):.0f}",
        ]
        for mode, results in runs.items()
    ]
    means = {mode: statistics.mean(r["mAP"] for r in results) for mode, results in runs.items()}
    spread = {
        mode: max(r["mAP"] for r in results) - min(r["mAP"] for r in results)
        for mode, results in runs.items()
    }
    headers = ["recipe", "final mAP of each seed", "mean", "seconds a run"]
    text = (
        f"{args.config}\n\n{_common.table(headers, rows)}\n\n"
        f"difference of the means {means['fast'] - means['stock']:+.4f}, "
        f"spread over seeds {spread['stock']:.4f} (stock) and {spread['fast']:.4f} (fast)"
    )
    _common.report("toy_training", args, text, {"runs": runs, "spread": spread})


def train(config: str, mode: str, seed: int, work_dir: Path) -> dict:
    """Train once and return the last mAP and the time it took in seconds."""
    command = [sys.executable, "tools/train.py", config, "--seed", str(seed)]
    command += ["--work-dir", str(work_dir)]
    if mode == "fast":
        command += ["--cfg-options", "runner_type=FastRunner"]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"error: {' '.join(command)}\n{done.stdout[-500:]}\n{done.stderr[-1500:]}")
    seconds = time.perf_counter() - start
    scalars = max(work_dir.glob("*/vis_data/scalars.json"))
    rows = [json.loads(line) for line in scalars.read_text().splitlines()]
    curve = [row["coco/bbox_mAP"] for row in rows if "coco/bbox_mAP" in row]
    return {"seed": seed, "mAP": curve[-1], "mAP_of_each_evaluation": curve, "seconds": seconds}


if __name__ == "__main__":
    main()
