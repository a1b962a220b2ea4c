"""Make a study of any dataset in COCO format: check it, cut subsets, write configs/<name>/.

python tools/new_study.py --name bccd --train-ann A.json --val-ann B.json \
        --train-images DIR --val-images DIR
"""

import argparse
import shlex
import sys

from rich.progress import track

from fzmm.errors import run_cli
from fzmm.study.describe import print_cost, print_next, print_study
from fzmm.study.new_study import new_study


def main() -> None:
    """Parse the arguments, write the study and say what it will cost."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--name", required=True, help="of the study: its folder, data amounts and configs")
    add("--train-ann", required=True, help="training annotations, COCO format")
    add("--val-ann", required=True, help="validation annotations")
    add("--train-images", required=True, help="folder of the training images")
    add("--val-images", required=True, help="folder of the validation images")
    add("--fractions", nargs="+", type=float, default=[1, 0.5, 0.25], help="of the images")
    add("--variations", type=int, default=3, help="subsets of the smallest fraction")
    add("--frozen", nargs="+", type=int, default=[-1, 0, 1, 2, 3, 4], help="frozen_stages")
    add("--epochs", type=int, default=26, help="passes over all images")
    add("--gpus", type=int, default=4, help="devices of a run")
    add("--base", help="config of the detector; by default Faster R-CNN ResNet-50 FPN")
    add("--depth", type=int, choices=[18, 34, 50, 101, 152], help="of the ResNet")
    add("--pretrained", help="checkpoint of the backbone, or none")
    add("--scale", nargs=2, type=int, metavar=("W", "H"), help="size that images are resized to")
    add("--evaluations", type=int, help="at most so many; by default one a pass over the data")
    add("--lr", type=float, help="learning rate; by default the base's for this batch")
    add("--seed", type=int, default=0, help="of the subsets")
    add("--configs-dir", help="folder of the study's folder; configs by default")
    add("--data-dir", help="folder of the subsets; data/NAME by default")
    add("--allow-leak", action="store_true", help="go on though the two halves share images")
    add("--force", action="store_true", help="replace what is there")
    add("--cost-steps", type=int, default=2, help="training steps to time; 0 for no estimate")
    args = vars(parser.parse_args())
    steps = args.pop("cost_steps")
    study = new_study(
        **args,
        command=shlex.join(["tools/new_study.py", *_lasting(sys.argv[1:])]),
        progress=lambda items, total, name: track(
            items, description=name, total=total, transient=True, disable=not sys.stdout.isatty()
        ),
    )
    print_study(study)
    if steps:
        print_cost(study, steps)
    print_next(study)


def _lasting(arguments: list[str]) -> list[str]:
    """Return the arguments that change what is written."""
    kept = [item for item in arguments if item not in ("--force", "--allow-leak")]
    if "--cost-steps" in kept:
        place = kept.index("--cost-steps")
        del kept[place : place + 2]
    return kept


if __name__ == "__main__":
    run_cli(main)
