"""Train many configs with many seeds, here or on a Slurm cluster; call it again to continue.

python tools/sweep.py configs/toy/*.py --seeds 0 1 2
python tools/sweep.py configs/toy/*.py --status
"""

import argparse
import sys

from fzmm.commands.sweep import add_slurm_options, show_plan, show_status, slurm_options
from fzmm.errors import run_cli
from fzmm.sweep.run_dir.state import State
from fzmm.sweep.sweep import Interrupted, run_sweep


def main() -> int:
    """Parse the arguments and sweep."""
    own, passed = sys.argv[1:], []
    if "--" in own:
        split = own.index("--")
        own, passed = own[:split], own[split + 1 :]
    parser = argparse.ArgumentParser(
        description="Train every config with every seed; finished runs are left, others continue.",
        usage="sweep.py CONFIG... [options] [-- arguments of tools/train.py]",
    )
    parser.add_argument("configs", nargs="+", metavar="CONFIG")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="one repeat for each")
    parser.add_argument("--work-dir", default="work_dirs", help="folder of the run directories")
    parser.add_argument("--executor", choices=["local", "slurm"], default="local")
    parser.add_argument("--gpus-per-run", type=int, help="by default what the schedule is made for")
    parser.add_argument(
        "--runs-at-once", type=int, default=1, help="without GPUs: trainings that share the cores"
    )
    parser.add_argument("--budget", type=float, default=1.0, help="share of the schedule to run")
    parser.add_argument("--retries", type=int, default=1, help="tries after a failure")
    parser.add_argument("--grace", type=float, default=120, help="seconds to save when stopped")
    parser.add_argument("--no-wait", action="store_true", help="slurm: return when queued")
    parser.add_argument("--status", action="store_true", help="show the runs and do nothing else")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and its cost")
    add_slurm_options(parser)
    args = parser.parse_args(own)
    if args.status:
        return show_status(args.configs, args.seeds, args.work_dir)
    if args.dry_run:
        return show_plan(
            args.configs, args.seeds, args.work_dir, args.gpus_per_run, args.budget, passed
        )
    try:
        statuses = run_sweep(
            args.configs,
            args.seeds,
            root=args.work_dir,
            executor=args.executor,
            gpus_per_run=args.gpus_per_run,
            runs_at_once=args.runs_at_once,
            budget=args.budget,
            retries=args.retries,
            arguments=passed,
            grace=args.grace,
            slurm=slurm_options(args),
            wait=not args.no_wait,
        )
    except Interrupted as stopped:
        print(stopped)
        return 130
    return int(any(status.state is State.FAILED for status in statuses))


if __name__ == "__main__":
    run_cli(main)
