"""``fzmm demo``, ``make demo``: the whole study on the embedded digits."""

from __future__ import annotations

import argparse
from pathlib import Path

from fzmm.utils.budget_warning import warn_of_short_schedule


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    own = argparse.ArgumentParser(
        description="Run the whole study on an embedded dataset: paint handwritten digits into "
        "data/toy, train six detectors and write the report. Needs no GPU. "
        "Call it again to go on where it was stopped.",
        epilog="example: fzmm demo --budget 0.1",
    )
    own.add_argument(
        "--work-dir",
        type=Path,
        default=Path("work_dirs/demo"),
        help="Where runs and report are written (default: %(default)s).",
    )

    own.add_argument(
        "--budget", type=float, default=1.0, help="Share of the schedule to train (default: 1)."
    )
    own.add_argument(
        "--images",
        type=int,
        nargs=2,
        default=(800, 150),
        metavar=("TRAIN", "VAL"),
        help="How many images to paint, where there are none yet (default: 800 150).",
    )

    return own


def main() -> int:
    """Run the demo."""
    args = parser().parse_args()
    from fzmm.sweep.sweep import Interrupted
    from fzmm.toy.demo import run_demo

    warn_of_short_schedule(args.budget)
    try:
        run_demo(args.work_dir, args.budget, tuple(args.images))
    except Interrupted:
        print("stopped; the same command goes on from here", flush=True)
        return 130
    return 0
