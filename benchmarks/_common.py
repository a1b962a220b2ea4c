"""What the benchmarks share: the machine's description, interleaved timing, and reports."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from fzmm.utils.files import atomic_write

PACKAGES = (
    "torch", "onedl-mmengine", "onedl-mmcv", "onedl-mmdetection", "mmengine", "mmcv", "mmdet",
    "pycocotools", "faster-coco-eval", "numpy", "opencv-python", "opencv-python-headless", "fzmm",
)  # fmt: skip


def parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    parser.add_argument("--json", type=Path, help="write the full result to this file as well")
    return parser


def machine() -> dict:
    """Return what a reader needs to place the numbers: hardware, load and versions."""
    info = {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {},
    }
    for package in PACKAGES:
        try:
            info["versions"][package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    if "torch" in sys.modules:
        import torch

        info["threads"] = torch.get_num_threads()
        info["gpu"] = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return info


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()


def interleave(
    functions: dict[str, Callable[[int], object]], rounds: int, warmup: int = 1
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Time functions in turn, so that what else the machine does hits all of them alike.

    CPU time is what this process used, whoever else was on the machine; with one thread its ratios
    hold also on a busy machine.

    Args:
        functions: What to time, by name; each is called with the number of the round.
        rounds: Calls of each that count.
        warmup: Calls of each before that, which do not.

    Returns:
        tuple: Seconds of each call by the clock, and of CPU time.
    """
    times = {name: [] for name in functions}
    cpu = {name: [] for name in functions}
    for i in range(warmup + rounds):
        for name, function in functions.items():
            start, cpu_start = time.perf_counter(), time.process_time()
            function(i)
            if i >= warmup:
                times[name].append(time.perf_counter() - start)
                cpu[name].append(time.process_time() - cpu_start)
        print(f"\r  round {i + 1} of {warmup + rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return times, cpu


def spread(values: list[float]) -> dict:
    """Return median, minimum, maximum and all values."""
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "all": values,
    }


def ratio(reference: list[float], values: list[float]) -> dict:
    """Return how many times faster ``values`` are: the median, least and most of the rounds.

    Rounds are compared pairwise, for the two calls of a round ran one after the other.
    """
    return spread([a / b for a, b in zip(reference, values, strict=True)])


def table(headers: list[str], rows: list[list]) -> str:
    """Return a Markdown table."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def report(name: str, args: argparse.Namespace, text: str, results: dict) -> None:
    """Print a table and one line of JSON, and write the JSON to ``args.json`` if asked to."""
    here = f"{Path(__file__).resolve().parent.parent}/"
    options = {
        key: str(v).removeprefix(here) if isinstance(v, Path | str) else v
        for key, v in vars(args).items()
    }
    record = {"benchmark": name, "options": options, "machine": machine(), "results": results}
    info = record["machine"]
    print(f"\n{info['cpu']}, {info['cores']} cores, GPU: {info.get('gpu') or 'none'}; ", end="")
    print(", ".join(f"{k} {v}" for k, v in info["versions"].items()))
    print(f"\n{text}\n\n{json.dumps(record)}")
    if args.json:
        with atomic_write(args.json) as file:
            json.dump(record, file, indent=1)
