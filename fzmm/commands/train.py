"""Train a detector: MMDetection's tools/train.py, on any machine, with more options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from fzmm.engine.detector_options import option_parser, parse
from fzmm.engine.runner.prepare import load_config
from fzmm.engine.runner.train_detector import train_detector
from fzmm.errors import run_cli
from fzmm.utils.budget_warning import warn_of_short_schedule


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = option_parser(
        "Train a detector with a config of MMDetection or fzmm.",
        {"config": "Config file, or one of a package, such as fzmm::fz/coco50_frozen2.py."},
        "example: fzmm train fzmm::fz/coco50_frozen2.py --seed 1",
    )
    parser.add_argument("--amp", action="store_true", help="Train in mixed precision.")
    parser.add_argument(
        "--fast", action="store_true", help="Train by the fast recipe, which includes --amp."
    )
    parser.add_argument(
        "--auto-scale-lr", action="store_true", help="Scale the learning rate to the batch."
    )

    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        help="Continue from this checkpoint, or from the latest in the work directory.",
    )
    parser.add_argument("--seed", type=int, help="Seed in place of the config's.")
    parser.add_argument(
        "--scale-schedule",
        action="store_true",
        help="Fit iterations and learning rate to the batch, so that as many images are seen.",
    )

    parser.add_argument(
        "--budget", type=float, help="Share of the schedule to run, decays included, such as 0.1."
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the arguments and train."""
    args = parse(parser(), arguments)

    cfg = load_config(args.config, args.work_dir, args.launcher, args.cfg_options)
    warn_of_short_schedule(args.budget)
    train_detector(
        cfg,
        amp=args.amp,
        auto_scale_lr=args.auto_scale_lr,
        resume=args.resume,
        seed=args.seed,
        scale_schedule=args.scale_schedule,
        budget=args.budget,
        trust_checkpoint=args.trust_checkpoint,
        fast=args.fast,
    )


if __name__ == "__main__":
    run_cli(main)
