"""Measure tools/make_subsets.py on a file of COCO's size, beside other ways to choose images.

    python benchmarks/coco_scale.py --seeds 0 1 2 --out coco_scale.json

Builds a synthetic annotation file with the published class counts (about 450 MB), runs the command
on it once for each seed and counts anew, with code of its own, what the four files hold. In the
same run the same sizes are drawn at random, and by iterative stratification (Sechidis et al.,
ECML 2011) if the package iterative-stratification is installed. Prints a table and JSON.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"  # as the command does

import numpy as np
import orjson

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.coco_scale_data import (  # noqa: E402
    CLASS_COUNTS,
    Layout,
    lay_out,
    read_class_counts,
    write_coco,
)

PLAN = {"coco50": 0.5, "coco25-1": 0.25, "coco25-2": 0.25, "coco25-3": 0.25}
REACH = {
    "class": 0.5,
    "class and area": 0.999999,
    "share, pp": 0.0004,
    "selection, s": 10.0,
    "command, s": 60.0,
    "peak memory, GB": 6.0,
}


def count(category: np.ndarray, area: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count annotations of each class, and of each class in each of COCO's area ranges."""
    size = (area >= 32**2).astype(int) + (area >= 96**2)
    return np.bincount(category, minlength=80), np.bincount(3 * category + size, minlength=240)


def deviations(
    full: tuple[np.ndarray, np.ndarray], part: tuple[np.ndarray, np.ndarray], fraction: float
) -> dict[str, float]:
    """Return the largest deviations from fraction x full, and of a class's share."""
    share = part[0] / part[0].sum() - full[0] / full[0].sum()
    return {
        "class": float(np.abs(part[0] - fraction * full[0]).max()),
        "class and area": float(np.abs(part[1] - fraction * full[1]).max()),
        "share, pp": float(100 * np.abs(share).max()),
    }


def worst(rows: list[dict[str, float]]) -> dict[str, float]:
    """Return the largest value of each column."""
    return {key: max(row[key] for row in rows) for key in rows[0]}


def measure_command(source: Path, layout: Layout, seed: int, folder: Path) -> dict[str, Any]:
    """Run the command with the default plan and count what it wrote."""
    out = folder / f"seed{seed}"
    command = [sys.executable, str(ROOT / "tools" / "make_subsets.py"), str(source)]
    command += ["--out-dir", str(out), "--seed", str(seed), "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    summary = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - start
    if status:
        raise SystemExit(f"the command failed with status {status}")
    full = count(layout.category, layout.area)
    rows, images = [], {}
    for name, fraction in PLAN.items():
        coco = orjson.loads((out / f"{name}.json").read_bytes())
        images[name] = {image["id"] for image in coco["images"]}
        label = {item["id"]: index for index, item in enumerate(coco["categories"])}
        category = np.array([label[item["category_id"]] for item in coco["annotations"]])
        area = np.array([item["area"] for item in coco["annotations"]])
        rows.append(deviations(full, count(category, area), fraction))
        (out / f"{name}.json").unlink()
        del coco
    quarters = [images[name] for name in list(PLAN)[1:]]
    return {
        "seed": seed,
        **worst(rows),
        "images": {name: len(ids) for name, ids in images.items()},
        "disjoint": len(set.union(*quarters)) == sum(map(len, quarters)),
        "crowd": max(row["crowd_deviation"] for row in summary["subsets"].values()),
        "empty": max(row["empty_deviation"] for row in summary["subsets"].values()),
        "command, s": elapsed,
        "command, CPU s": usage.ru_utime + usage.ru_stime,
        "peak memory, GB": usage.ru_maxrss * 1024 / 1e9,
    }


def measure_selection(layout: Layout, seed: int) -> dict[str, float]:
    """Time the choice of images alone."""
    from fzmm.datasets.subsets.make_subsets import select
    from fzmm.datasets.subsets.plan import DEFAULT_DISJOINT, DEFAULT_SUBSETS, make_plan
    from fzmm.datasets.subsets.strata import AnnotationTable, count_strata

    table = AnnotationTable(
        image=layout.image,
        category=layout.category,
        area_range=np.searchsorted((32**2, 96**2), layout.area, side="right"),
        crowd=layout.crowd,
        degenerate=np.zeros(len(layout.image), bool),
        num_images=layout.num_images,
        classes=layout.classes,
    )
    strata = count_strata(table)
    plan = make_plan(DEFAULT_SUBSETS, table.num_images, DEFAULT_DISJOINT)
    start, cpu = time.perf_counter(), time.process_time()
    select(strata, plan, seed)
    return {
        "selection, s": time.perf_counter() - start,
        "selection, CPU s": time.process_time() - cpu,
    }


def measure_random(layout: Layout, seed: int) -> dict[str, float]:
    """Draw images of the plan's sizes at random."""
    start = time.perf_counter()
    rng = np.random.default_rng(seed)
    quarters = np.array_split(rng.permutation(layout.num_images), 4)[:3]
    half = rng.permutation(layout.num_images)[: round(layout.num_images / 2)]
    return _measure_parts(layout, [half, *quarters]) | {"selection, s": time.perf_counter() - start}


def measure_best_random(layout: Layout, seed: int, draws: int = 100) -> dict[str, float]:
    """Keep the best of many random draws by class share, as the COCO minitrain script does."""
    start = time.perf_counter()
    rows = [measure_random(layout, 1000 * seed + draw) for draw in range(draws)]
    best = min(rows, key=lambda row: row["share, pp"])
    return best | {"selection, s": time.perf_counter() - start}


def measure_iterative(layout: Layout, seed: int) -> dict[str, float]:
    """Split by iterative stratification on which classes in which area range an image holds."""
    from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

    size = (layout.area >= 32**2).astype(int) + (layout.area >= 96**2)
    labels = np.zeros((layout.num_images, 240), dtype=np.int8)
    labels[layout.image, 3 * layout.category + size] = 1
    start = time.perf_counter()
    parts = []
    for folds, kept in ((2, 1), (4, 3)):
        splitter = MultilabelStratifiedKFold(n_splits=folds, shuffle=True, random_state=seed)
        parts += [test for _, test in splitter.split(labels, labels)][:kept]
    elapsed = time.perf_counter() - start
    return _measure_parts(layout, parts) | {"selection, s": elapsed}


def _measure_parts(layout: Layout, parts: list[np.ndarray]) -> dict[str, float]:
    full = count(layout.category, layout.area)
    rows = []
    for part, fraction in zip(parts, PLAN.values(), strict=True):
        inside = np.zeros(layout.num_images, bool)
        inside[part] = True
        kept = inside[layout.image]
        rows.append(deviations(full, count(layout.category[kept], layout.area[kept]), fraction))
    return worst(rows)


def describe_machine() -> dict[str, Any]:
    """Return what the times depend on."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if "model name" in line), cpu)
    packages = ("numpy", "scipy", "orjson", "iterative-stratification")
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load_at_start": os.getloadavg()[0],
        "versions": versions,
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data-seed", type=int, default=0, help="seed of the synthetic file")
    parser.add_argument("--class-counts", type=Path, help="JSON of class counts to use instead")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--no-iterative", action="store_true", help="leave this comparison out")
    parser.add_argument("--out", type=Path, help="file for the JSON (default: standard output)")
    args = parser.parse_args()
    counts = read_class_counts(args.class_counts) if args.class_counts else CLASS_COUNTS
    machine = describe_machine()

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        say("building the file")
        layout = lay_out(counts, seed=args.data_seed)
        source = folder / "instances.json"
        write_coco(layout, source, seed=args.data_seed)
        result: dict[str, Any] = {
            "machine": machine,
            "file": {
                "bytes": source.stat().st_size,
                "images": layout.num_images,
                "images_without_annotation": layout.num_images - len(np.unique(layout.image)),
                "annotations": len(layout.image),
                "crowd": int(layout.crowd.sum()),
                "data_seed": args.data_seed,
            },
            "fzmm": [],
            "random": [],
        }
        for seed in args.seeds:
            say(f"seed {seed}: selection")
            row = measure_selection(layout, seed)
            say(f"seed {seed}: the whole command")
            result["fzmm"].append({**measure_command(source, layout, seed, folder), **row})
            result["random"].append({"seed": seed, **measure_random(layout, seed)})
        seed = args.seeds[0]
        say("best of 100 random draws")
        result["best of 100 random"] = [{"seed": seed, **measure_best_random(layout, seed)}]
    if not args.no_iterative:
        try:
            say("iterative stratification")
            result["iterative"] = [{"seed": seed, **measure_iterative(layout, seed)}]
        except ImportError:
            say("iterative-stratification is not installed; left out")
    print_table(result)
    text = json.dumps(result, indent=2)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)


def print_table(result: dict[str, Any]) -> None:
    """Print a Markdown table, a row for each method and seed."""
    columns = [*REACH, "command, CPU s"]
    print("| | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    print("| to reach | " + " | ".join(_format(REACH.get(key)) for key in columns) + " |")
    for method in ("fzmm", "random", "best of 100 random", "iterative"):
        for row in result.get(method, []):
            cells = [_format(row.get(key)) for key in columns]
            print(f"| {method}, seed {row['seed']} | " + " | ".join(cells) + " |")


def _format(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.6f}".rstrip("0").rstrip(".") if value < 0.01 else f"{value:.2f}"


if __name__ == "__main__":
    main()
