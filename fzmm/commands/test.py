"""Evaluate a checkpoint: MMDetection's tools/test.py, on any machine."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmdet.engine.hooks.utils import trigger_visualization_hook

from fzmm.engine.detector_options import option_parser, parse
from fzmm.engine.runner.evaluate_detector import evaluate_detector
from fzmm.engine.runner.prepare import load_config
from fzmm.errors import run_cli


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = option_parser(
        "Evaluate a checkpoint on the test set of its config.",
        {
            "config": "Config file, or one of a package, such as fzmm::fz/coco50_frozen2.py.",
            "checkpoint": "Checkpoint file.",
        },
        "example: fzmm test CONFIG work_dirs/RUN/iter_300.pth --out predictions.pkl",
    )
    parser.add_argument("--out", help="Write the predictions to this pickle file.")
    parser.add_argument(
        "--save-predictions",
        action="store_true",
        help="Evaluate on the validation set and keep the detections beside the checkpoint "
        "(predictions.json.gz), for reports of runs that have not kept them.",
    )
    parser.add_argument("--show", action="store_true", help="Show the predictions.")
    parser.add_argument("--show-dir", help="Save the painted predictions in this folder.")
    parser.add_argument(
        "--wait-time", type=float, default=2, help="Seconds between shown images (default: 2)."
    )
    parser.add_argument(
        "--tta",
        action="store_true",
        help="Average the predictions for changed copies of each image.",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the arguments and evaluate."""
    args = parse(parser(), arguments)

    cfg = load_config(args.config, args.work_dir, args.launcher, args.cfg_options)
    if args.show or args.show_dir:
        cfg = trigger_visualization_hook(cfg, args)
    evaluate_detector(
        cfg, args.checkpoint, args.out, args.tta, args.trust_checkpoint, args.save_predictions
    )


if __name__ == "__main__":
    run_cli(main)
