"""Cut a COCO annotation file into class-stratified subsets, or measure existing ones.

python tools/make_subsets.py ANN_FILE [--out-dir DIR] [--subset NAME=0.25 ...]
python tools/make_subsets.py verify FILE --source SOURCE
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys

# The search multiplies small matrices. A second BLAS thread gains nothing there, and waiting for it
# on a busy machine costs ten times the work itself. It must be said before NumPy is imported.
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

from fzmm.errors import fail, run_cli


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str):
        """Print the error and exit with code 2."""
        fail(f"{message}; see {self.prog} --help")


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    style = argparse.RawDescriptionHelpFormatter
    parser = Parser(description=__doc__, formatter_class=style, allow_abbrev=False)
    if argv[:1] == ["verify"]:
        parser.prog += " verify"
        parser.add_argument("file", help="subset to measure")
        parser.add_argument("--source", required=True, help="annotation file it was made from")
        parser.add_argument("--fraction", help="share to compare with (default: from its size)")
        parser.add_argument("--json", action="store_true", help="print JSON")
        args = parser.parse_args(argv[1:])
        args.verify = True
        return args
    parser.add_argument("ann_file", help="COCO instances file, .json or .json.gz")
    parser.add_argument("--out-dir", help="folder of the outputs (default: fz beside the file)")
    parser.add_argument(
        "--subset",
        action="append",
        metavar="NAME=AMOUNT",
        help="fraction of the images, or number of images if above 1; may be given several times "
        "(default: the thesis's coco50=0.5 and three disjoint coco25-1, -2, -3=0.25)",
    )
    parser.add_argument(
        "--disjoint", action="append", metavar="A,B,...", help="subsets that share no image"
    )
    parser.add_argument(
        "--nested", action="append", default=[], metavar="A,B,...", help="each contains the next"
    )
    parser.add_argument(
        "--stratify",
        default="classes,areas,crowd,empty",
        metavar="WHAT,...",
        help="what to keep (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the choice (default: 0)")
    parser.add_argument("--force", action="store_true", help="replace outputs that exist")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    args = parser.parse_args(argv)
    args.verify = False
    return args


def main() -> int:
    """Run the command line."""
    args = parse_args(sys.argv[1:])
    from fzmm.datasets.subsets.deviations import format_table
    from fzmm.datasets.subsets.make_subsets import DEFAULT_SUBSETS, make_subsets, verify_subset
    from fzmm.datasets.subsets.progress import Progress

    # A polite kill cleans up as Ctrl-C does; not before NumPy is imported, which takes an exception
    # in its midst for a broken installation.
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(143))
    with Progress() as progress:
        if args.verify:
            result = verify_subset(args.file, args.source, args.fraction, progress)
            rows = {args.file: result}
        else:
            result = make_subsets(
                args.ann_file,
                args.out_dir,
                args.subset or DEFAULT_SUBSETS,
                args.disjoint,
                args.nested,
                [name.strip() for name in args.stratify.split(",")],
                args.seed,
                args.force,
                ["python", *sys.argv],
                progress,
            )
            rows = result["subsets"]
    print(json.dumps(result, indent=2) if args.json else format_table(rows))
    if args.verify and not args.json:
        for key in ("unknown_images", "unknown_annotations", "missing_annotations"):
            if result[key]:
                print(f"{key.replace('_', ' ')}: {result[key]:,}")
    return 0


if __name__ == "__main__":
    run_cli(main)
