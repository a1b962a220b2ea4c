"""Train a toy scenario with stock MMDetection and with the fast recipe, and compare the mAP.

    make demo                                   # once: the toy dataset
    python benchmarks/toy_training.py
    python benchmarks/toy_training.py --config configs/toy/toy25_frozen4.py --seeds 0 1 2 3

Every run is a real one, by ``tools/train.py``, in a work directory of its own. Without a GPU the
two of a seed train side by side, each with half of the cores; with one, in turn.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import _common

from fzmm.sweep.executors.local import available_cores, visible_gpus

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Train and print."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/toy/toy100_frozen2.py")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    runs = {"stock": [], "fast": []}
    with tempfile.TemporaryDirectory() as folder:
        configs = {mode: write_config(args.config, mode, Path(folder)) for mode in runs}
        workers = 1 if visible_gpus() else len(runs)
        threads = max(1, available_cores() // workers)
        for seed in args.seeds:
            with ThreadPoolExecutor(workers) as pool:
                waiting = {
                    mode: pool.submit(train, path, seed, Path(folder) / f"{mode}{seed}", threads)
                    for mode, path in configs.items()
                }
            for mode, future in waiting.items():
                runs[mode].append(future.result())
                print(f"{mode}, seed {seed}: {runs[mode][-1]}", file=sys.stderr)
    rows = [
        [
            mode,
            ", ".join(f"{run['mAP']:.3f}" for run in results),
            f"{statistics.mean(run['mAP'] for run in results):.3f}",
            f"{statistics.median(run['train_time'] for run in results):.0f}",
            f"{statistics.median(run['seconds'] for run in results):.0f}",
        ]
        for mode, results in runs.items()
    ]
    means = {mode: statistics.mean(r["mAP"] for r in results) for mode, results in runs.items()}
    spread = {
        mode: max(r["mAP"] for r in results) - min(r["mAP"] for r in results)
        for mode, results in runs.items()
    }
    headers = ["recipe", "final mAP of each seed", "mean", "training, s", "whole run, s"]
    text = (
        f"{args.config}\n\n{_common.table(headers, rows)}\n\n"
        f"difference of the means {means['fast'] - means['stock']:+.4f}, "
        f"spread over seeds {spread['stock']:.4f} (stock) and {spread['fast']:.4f} (fast)"
    )
    _common.report("toy_training", args, text, {"runs": runs, "spread": spread})


def write_config(config: str, mode: str, folder: Path) -> Path:
    """Write the config with MMDetection's own modules and metric, or with the fast recipe."""
    from mmengine.config import Config

    cfg = Config.fromfile(ROOT / config)
    if mode == "fast":
        cfg.runner_type = "FastRunner"
    else:
        cfg.pop("runner_type")
        for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
            evaluator.type = "CocoMetric"
    path = folder / f"{mode}.py"
    cfg.dump(path)
    return path


def train(config: Path, seed: int, work_dir: Path, threads: int) -> dict:
    """Train once and return the last mAP and the time it took in seconds."""
    command = [sys.executable, "tools/train.py", str(config), "--seed", str(seed)]
    command += ["--work-dir", str(work_dir)]
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"error: {' '.join(command)}\n{done.stdout[-500:]}\n{done.stderr[-1500:]}")
    seconds = time.perf_counter() - start
    scalars = max(work_dir.glob("*/vis_data/scalars.json"))
    rows = [json.loads(line) for line in scalars.read_text().splitlines()]
    curve = [row["coco/bbox_mAP"] for row in rows if "coco/bbox_mAP" in row]
    return {
        "seed": seed,
        "mAP": curve[-1],
        "mAP_of_each_evaluation": curve,
        "train_time": rows[-1]["train_time"],
        "seconds": seconds,
    }


if __name__ == "__main__":
    main()
