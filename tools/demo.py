"""Run the whole study on the embedded digits: `make demo`."""

import argparse
from pathlib import Path

from fzmm.errors import run_cli


def main() -> int:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/demo"))
    parser.add_argument("--budget", type=float, default=1.0, help="share of the schedule to train")
    args = parser.parse_args()
    from fzmm.sweep.sweep import Interrupted
    from fzmm.toy.demo import run_demo

    try:
        run_demo(args.work_dir, args.budget)
    except Interrupted:
        print("stopped; `make demo` goes on from here", flush=True)
        return 130
    return 0


if __name__ == "__main__":
    run_cli(main)
