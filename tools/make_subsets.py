"""Cut a COCO annotation file into class-stratified subsets, or measure existing ones."""

from __future__ import annotations

import argparse
import json
import sys

from fzmm.datasets.strata import STRATIFY
from fzmm.datasets.subsets import DEFAULT_SUBSETS, make_subsets
from fzmm.errors import run_cli


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ann_file")
    parser.add_argument("--out-dir")
    parser.add_argument("--subset", action="append", metavar="NAME=AMOUNT")
    parser.add_argument("--disjoint", action="append", metavar="A,B,...")
    parser.add_argument("--nested", action="append", default=[], metavar="A,B,...")
    parser.add_argument("--stratify", default=",".join(STRATIFY))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def main() -> int:
    """Run the command line."""
    args = parse_args(sys.argv[1:])
    summary = make_subsets(
        args.ann_file,
        args.out_dir,
        args.subset or DEFAULT_SUBSETS,
        args.disjoint,
        args.nested,
        args.stratify.split(","),
        args.seed,
        args.force,
        sys.argv,
        lambda line: print(line, file=sys.stderr),
    )
    if args.json:
        print(json.dumps(summary, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    run_cli(main)
