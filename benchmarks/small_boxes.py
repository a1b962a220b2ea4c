"""Count the boxes of an annotation file that MMDetection leaves out and torchvision trains on.

    python benchmarks/small_boxes.py data/coco/annotations/instances_train2017.json

MMDetection's ``CocoDataset`` skips boxes narrower or lower than a pixel; torchvision's reference
script keeps whatever has a width and a height above zero (configs/fz/README.md, "Images").
"""

from __future__ import annotations

from pathlib import Path

import _common
import orjson


def main() -> None:
    """Count and print."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("ann_file", type=Path, nargs="+")
    args = parser.parse_args()
    counts = {str(path): count(path) for path in args.ann_file}
    headers = ["annotation file", "boxes", "without area", "below one pixel"]
    table = _common.table(headers, [[path, *row.values()] for path, row in counts.items()])
    args.ann_file = [str(path) for path in args.ann_file]
    _common.report("small_boxes", args, table, counts)


def count(path: Path) -> dict[str, int]:
    """Return how many boxes there are, crowds aside, and how many are no or hardly any box."""
    boxes = [
        annotation["bbox"]
        for annotation in orjson.loads(path.read_bytes())["annotations"]
        if not annotation.get("iscrowd")
    ]
    flat = sum(min(width, height) <= 0 for *_, width, height in boxes)
    small = sum(0 < min(width, height) < 1 for *_, width, height in boxes)
    return {"boxes": len(boxes), "without_area": flat, "below_one_pixel": small}


if __name__ == "__main__":
    main()
