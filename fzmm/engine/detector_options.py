"""The options that MMDetection's tools/train.py and tools/test.py have in common."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence

from mmengine.config import DictAction


def option_parser(
    description: str, files: Mapping[str, str], example: str
) -> argparse.ArgumentParser:
    """Return an argument parser with the common options.

    Args:
        description: Shown by ``--help``.
        files: The positional arguments in order, and what ``--help`` says of them.
        example: Shown below the options.
    """
    parser = argparse.ArgumentParser(
        description=description,
        epilog=example,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, text in files.items():
        parser.add_argument(name, help=text)
    parser.add_argument(
        "--work-dir", help="Folder that logs, checkpoints and metrics are written to."
    )

    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=DictAction,
        help="Settings that replace the config's: key=value, a.b=value, key=[a,b].",
    )
    parser.add_argument(
        "--trust-checkpoint",
        action="store_true",
        help="Load checkpoints that hold more than data. Do so only if you trust their source.",
    )

    parser.add_argument(
        "--launcher",
        choices=["none", "pytorch", "slurm", "mpi"],
        default="none",
        help="What has started the processes of this training (default: none).",
    )
    parser.add_argument(
        "--local_rank",
        "--local-rank",
        type=int,
        default=0,
        help="Number of this process on its machine, as some launchers pass it.",
    )
    return parser


def parse(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None
) -> argparse.Namespace:
    """Parse, and export ``LOCAL_RANK`` for launchers that pass it as an argument."""
    args = parser.parse_args(arguments)
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    return args
