"""``fzmm make-subsets`` and ``tools/make_subsets.py``: class-stratified subsets of a dataset."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys

# The search multiplies small matrices. A second BLAS thread gains nothing there, and waiting for it
# on a busy machine costs ten times the work itself. It must be said before NumPy is imported.
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

from fzmm.errors import fail

DESCRIPTION = """Cut a COCO annotation file into class-stratified subsets.

The default is what the study on COCO uses: coco50 and three disjoint coco25-1, -2, -3. With
`verify` an existing subset is measured instead."""
EXAMPLE = """examples:
  fzmm make-subsets instances_train2017.json --out-dir data/coco/annotations/fz
  fzmm make-subsets train.json --subset half=0.5 --subset tiny=100 --nested half,tiny
  fzmm make-subsets verify data/coco/annotations/fz/coco50.json --source instances_train2017.json
"""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str):
        """Print the error and exit with code 2."""
        fail(f"{message}; see {self.prog} --help")


def parser() -> Parser:
    """Return the parser that cuts."""
    own = _parser(DESCRIPTION)
    add = own.add_argument
    add("ann_file", help="COCO annotation file, .json or .json.gz, or the word `verify`.")
    add("--out-dir", help="Folder of the outputs (default: fz beside the file).")
    add(
        "--subset",
        action="append",
        metavar="NAME=AMOUNT",
        help="A subset to cut: a fraction of the images, or a number of them if above 1. It may be "
        "given several times (default: the thesis's coco50=0.5 and three disjoint coco25-1, -2, "
        "-3=0.25).",
    )

    names = dict(action="append", metavar="A,B,...")
    add("--disjoint", **names, help="Subsets that must not share an image.")
    add("--nested", **names, default=[], help="Subsets of which each must contain the next.")
    add(
        "--stratify",
        default="classes,areas,crowd,empty",
        metavar="WHAT,...",
        help="What the subsets keep the shares of (default: %(default)s).",
    )

    add(
        "--group-by",
        metavar="REGEX",
        help="Keep images together of whose names this captures the same, as in '(patient[0-9]+)'.",
    )
    add("--seed", type=int, default=0, help="Seed of the choice (default: 0).")
    add("--force", action="store_true", help="Replace outputs that exist.")
    add("--json", action="store_true", help="Print the summary as JSON.")
    return own


def verify_parser() -> Parser:
    """Return the parser of ``verify``, which measures a subset."""
    own = _parser("Measure how well a subset keeps the shares of the file it was made from.")
    own.prog += " verify"
    own.add_argument("file", help="Subset to measure.")
    own.add_argument("--source", required=True, help="Annotation file it was made from.")
    own.add_argument("--fraction", help="Share to compare with (default: from its size).")
    own.add_argument("--json", action="store_true", help="Print JSON.")
    return own


def _parser(description: str) -> Parser:
    return Parser(
        description=description,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def main() -> int:
    """Cut or verify, as the command line says."""
    verify = sys.argv[1:2] == ["verify"]
    if verify:
        args = verify_parser().parse_args(sys.argv[2:])
    else:
        args = parser().parse_args()

    from fzmm.datasets.subsets.deviations import format_table
    from fzmm.datasets.subsets.make_subsets import DEFAULT_SUBSETS, make_subsets, verify_subset
    from fzmm.datasets.subsets.progress import Progress

    # A polite kill cleans up as Ctrl-C does; not before NumPy is imported, which takes an exception
    # in its midst for a broken installation.
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(143))
    with Progress() as progress:
        if verify:
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
                _command_line(),
                progress,
                args.group_by,
            )
            rows = result["subsets"]

    print(json.dumps(result, indent=2) if args.json else format_table(rows))
    if verify and not args.json:
        for key in ("unknown_images", "unknown_annotations", "missing_annotations"):
            if result[key]:
                print(f"{key.replace('_', ' ')}: {result[key]:,}")

    return 0


def _command_line() -> list[str]:
    """Return the call as the user wrote it, for the record beside the subsets."""
    return [*([] if sys.argv[0].startswith("fzmm ") else ["python"]), *sys.argv]
