"""How long a study's logs take to read: 100 runs of 381,108 iterations, logged every 50.

Usage: python benchmarks/read_logs.py [--runs 100] [--repeats 3]

Writes logs as MMDetection 3.x does (some 350 bytes a row), reads them with
``fzmm.analysis.reading.read_runs.read_runs`` and prints a table and JSON. Both copies that MMEngine
keeps of each log are written; one of them is read.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import orjson

ITERATIONS, INTERVAL, PASS = 381_108, 50, 14_658


def write_run(folder: Path, seed: int) -> int:
    """Write one run's log and return the number of its rows."""
    generator = np.random.default_rng(seed)
    data = folder / "20260101_000000" / "vis_data"
    data.mkdir(parents=True)
    rows, mark = [], PASS
    for step in range(INTERVAL, ITERATIONS + 1, INTERVAL):
        while mark < step:
            value = 0.377 * (1 - np.exp(-mark / 80_000)) + generator.normal(0, 0.001)
            rows.append(
                {
                    f"coco/bbox_mAP{suffix}": round(float(value), 3)
                    for suffix in ("", "_50", "_75", "_s", "_m", "_l")
                }
                | {"data_time": 0.01, "time": 0.1, "step": mark}
            )
            mark += PASS
        loss = generator.random(6)
        rows.append(
            {
                "base_lr": 0.01,
                "lr": 0.01,
                "data_time": float(loss[0] / 50),
                "loss": float(loss.sum()),
                "loss_rpn_cls": float(loss[0]),
                "loss_rpn_bbox": float(loss[1]),
                "loss_cls": float(loss[2]),
                "acc": 95.80078125,
                "loss_bbox": float(loss[3]),
                "time": 0.5 + float(loss[4] / 50),
                "train_time": 0.5 * step,
                "iter": step,
                "memory": 3718,
                "step": step,
            }
        )
    text = b"\n".join(map(orjson.dumps, rows)) + b"\n"
    (data / "scalars.json").write_bytes(text)
    (data / "20260101_000000.json").write_bytes(text)
    (data / "config.py").write_text(
        "model = dict(backbone=dict(depth=50, frozen_stages=1, type='ResNet'), type='FasterRCNN')\n"
        f"randomness = dict(seed={seed})\n"
        f"train_cfg = dict(max_iters={ITERATIONS}, type='IterBasedTrainLoop')\n"
    )
    return len(rows)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Write, read and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        rows = sum(write_run(Path(root) / f"run{i}", i) for i in range(args.runs))
        size = sum(path.stat().st_size for path in Path(root).rglob("scalars.json"))
        times, cpu = [], []
        for _ in range(args.repeats):
            # a process of its own each time: imports and start-up are part of what a user waits for
            code = (
                "from fzmm.analysis.reading.read_runs import read_runs;"
                f"assert len(read_runs({root!r})) == {args.runs}"
            )
            started, used = time.perf_counter(), _children_cpu()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.perf_counter() - started)
            cpu.append(_children_cpu() - used)
    helps = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, Path(__file__).parent.parent / "tools" / "analyze_logs.py", "--help"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        helps.append(time.perf_counter() - started)
    result = {
        "runs": args.runs,
        "rows": rows,
        "megabytes": round(size / 1e6, 1),
        "read_seconds": [round(value, 2) for value in times],
        "read_cpu_seconds": [round(value, 2) for value in cpu],  # what a busy machine hides
        "rows_per_second": round(rows / min(times)),
        "help_seconds": [round(value, 3) for value in helps],
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "orjson": orjson.__version__,
        "numpy": np.__version__,
    }
    print(f"{'measure':<28}value")
    for name, value in result.items():
        print(f"{name:<28}{value}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
