"""How far mAP moves with the choice of the validation images, against what is said before training.

    python benchmarks/map_sampling_error.py --annotations instances_val.json
    python benchmarks/map_sampling_error.py --truth instances_val.json --runs work_dirs/RUN

Simulated: validation sets are drawn anew, from the images of an annotation file and of a file like
COCO's, with detections by three simulated detectors of which some images are harder than others;
the standard deviation of their mAP is the truth. Real: a bootstrap over the images of a run's kept
detections, all of them and parts. Beside it what ``fzmm.datasets.sampling_error`` gives at most,
from the boxes of each class, and what it would give from the images that hold the class.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import _common
import numpy as np
from coco_scale_data import CLASS_COUNTS, GROUP_SIZE

from fzmm.analysis.detections.average_precision import class_ap, mean_ap, precisions
from fzmm.analysis.detections.bootstrap import drawn_maps
from fzmm.analysis.detections.ground_truth import GroundTruth, ground_truth
from fzmm.analysis.detections.matching import Detections, in_order, match
from fzmm.datasets.sampling_error import FEW_BOXES, ap_error, map_error
from fzmm.predictions import read_predictions

COLUMNS = ["data", "detector", "images", "boxes", "classes", "mAP", "error [pp]"]


@dataclasses.dataclass(frozen=True)
class Detector:
    """A simulated detector.

    Attributes:
        finds: Log odds of finding a box of middling hardness.
        blur: Standard deviation of a side's place, as a share of its length.
        others: Detections of nothing, a box.
    """

    finds: float
    blur: float
    others: float


DETECTORS = {
    "weak": Detector(0.0, 0.12, 2.0),
    "middling": Detector(1.2, 0.07, 1.0),
    "strong": Detector(3.0, 0.03, 0.5),
}


def main() -> None:
    """Measure and print."""
    parser = _common.parser(__doc__.splitlines()[0])
    parser.add_argument("--annotations", nargs="+", default=[])
    parser.add_argument("--runs", nargs="+", default=[], help="with predictions.json.gz")
    parser.add_argument("--truth", help="annotation file of the runs")
    parser.add_argument("--sets", type=int, default=200, help="validation sets to draw")
    parser.add_argument(
        "--hardness",
        type=float,
        default=1.0,
        help="standard deviation over images of the log odds of finding a box (default: 1)",
    )
    parser.add_argument("--coco-images", type=int, nargs="*", default=[500, 5000])
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)

    rows = []
    for path in map(Path, args.annotations):
        truth = ground_truth(path)
        for images in (len(truth.image_ids), len(truth.image_ids) // 4):
            rows += [simulate(path.parts[-3], truth, images, name, args, rng) for name in DETECTORS]
    for images in args.coco_images:
        truth = like_coco(images, rng)
        rows += [simulate("like COCO", truth, images, name, args, rng) for name in DETECTORS]
    for run in map(Path, args.runs):
        rows += measure(run, ground_truth(args.truth), args, rng)

    heads = [*COLUMNS, "by boxes", "ratio", "by images", "ratio", "classes beyond"]
    table = _common.table(heads, [shown(row) for row in rows])
    _common.report("map_sampling_error", args, table, {"rows": rows})


def simulate(name: str, truth: GroundTruth, images: int, detector: str, args, rng) -> dict:
    """Return how far mAP moves over validation sets drawn anew."""
    skill = rng.normal(0, 0.7, len(truth.class_ids))  # some classes are easier
    maps, counts, in_images, aps = [], [], [], []
    for _ in range(args.sets):
        drawn = draw(truth, rng.integers(0, len(truth.image_ids), images))
        detections = detect(drawn, DETECTORS[detector], skill, args.hardness, rng)
        of_classes = class_ap(precisions(detections, match(detections, drawn), drawn))
        aps.append(of_classes)
        maps.append(mean_ap(of_classes))
        counts.append(drawn.counts)
        in_images.append(images_of_classes(drawn))
    return row(name, detector, images, maps, np.mean(counts, 0), np.mean(in_images, 0), aps)


def measure(run: Path, truth: GroundTruth, args, rng) -> list[dict]:
    """Return how far a run's mAP moves in a bootstrap over all images and over parts of them."""
    detections = in_order(read_predictions(run), truth)
    matches = match(detections, truth)
    rows = []
    for parts in (1, 2, 4, 8):
        images = rng.permutation(len(truth.image_ids))[: len(truth.image_ids) // parts]
        draws = rng.choice(images, (args.sets, len(images)))
        copies = np.stack([np.bincount(d, minlength=len(truth.image_ids)) for d in draws], axis=1)
        inside = np.isin(truth.images, images)
        part = dataclasses.replace(
            truth,
            **{
                key: getattr(truth, key)[inside]
                for key in ("images", "classes", "boxes", "areas", "crowd")
            },
        )
        maps = drawn_maps(detections, matches, truth, copies.astype(np.float32))
        per_class = part.counts, images_of_classes(part)
        rows.append(row("/".join(run.parts[-2:]), "real", len(images), maps, *per_class))
    return rows


def row(name, detector, images, maps, boxes, in_images, aps=()) -> dict:
    """Return what a line of the table holds."""
    known = boxes > 0.5
    result = {
        "data": name,
        "detector": detector,
        "images": images,
        "boxes": round(float(boxes.sum())),
        "classes": int(known.sum()),
        "mAP": float(np.nanmean(maps)),
        "error": float(np.nanstd(maps, ddof=1)),
        "by_boxes": map_error(boxes[known].tolist())[1],
        "by_images": map_error(in_images[known].tolist())[1],
    }
    if len(aps):
        spread = np.nanstd(np.stack(aps), axis=0, ddof=1)[known]
        said = np.array([ap_error(number) for number in boxes[known]])
        enough = boxes[known] >= FEW_BOXES
        result["classes_beyond"] = float((spread > said)[enough].mean()) if enough.any() else None
        result["class_ratio"] = (spread / said).tolist()
    return result


def shown(row: dict) -> list[str]:
    """Return a row as texts."""
    by_boxes, by_images = row["by_boxes"], row["by_images"]
    beyond = row.get("classes_beyond")
    return [
        row["data"],
        row["detector"],
        f"{row['images']:,}",
        f"{row['boxes']:,}",
        row["classes"],
        f"{100 * row['mAP']:.1f}",
        f"{100 * row['error']:.2f}",
        f"{100 * by_boxes:.2f}",
        f"{row['error'] / by_boxes:.2f}",
        f"{100 * by_images:.2f}",
        f"{row['error'] / by_images:.2f}",
        "" if beyond is None else f"{beyond:.0%}",
    ]


def images_of_classes(truth: GroundTruth) -> np.ndarray:
    """Return how many images hold each class."""
    pairs = np.unique(truth.images * len(truth.class_ids) + truth.classes)
    return np.bincount(pairs % len(truth.class_ids), minlength=len(truth.class_ids))


def draw(truth: GroundTruth, chosen: np.ndarray) -> GroundTruth:
    """Return a validation set of some of the images, in which one may stand several times."""
    order = np.argsort(truth.images, kind="stable")
    first = np.searchsorted(truth.images[order], np.arange(len(truth.image_ids) + 1))
    counts = np.diff(first)[chosen]
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    boxes = order[np.repeat(first[chosen], counts) + place]
    return GroundTruth(
        image_ids=np.arange(len(chosen)),
        file_names=("",) * len(chosen),
        class_ids=truth.class_ids,
        class_names=truth.class_names,
        images=np.repeat(np.arange(len(chosen)), counts),
        classes=truth.classes[boxes],
        boxes=truth.boxes[boxes],
        areas=truth.areas[boxes],
        crowd=truth.crowd[boxes],
    )


def detect(
    truth: GroundTruth, detector: Detector, skill: np.ndarray, hardness: float, rng
) -> Detections:
    """Return simulated detections: in a hard image less is found, and less exactly."""
    ease = rng.normal(0, hardness, len(truth.image_ids))
    odds = detector.finds + ease[truth.images] + skill[truth.classes]
    found = np.flatnonzero(rng.random(len(odds)) < 1 / (1 + np.exp(-odds)))
    blur = detector.blur * np.exp(-0.3 * ease[truth.images[found]])
    sides = truth.boxes[found][:, [2, 3, 2, 3]]
    boxes = truth.boxes[found] + rng.normal(0, 1, (len(found), 4)) * sides * blur[:, None]
    boxes[:, 2:] = np.maximum(boxes[:, 2:], 1)

    wrong = rng.integers(0, len(odds), rng.poisson(detector.others * len(odds)))
    elsewhere = truth.boxes[wrong].copy()
    elsewhere[:, :2] += 3 * elsewhere[:, 2:]  # as large as the boxes of its class, but not on one
    images = np.concatenate([truth.images[found], truth.images[wrong]])
    scores = np.concatenate(
        [rng.normal(1 + 0.5 * ease[truth.images[found]]), rng.normal(-1, 1, len(wrong))]
    )
    order = np.lexsort((-scores, images))
    return Detections(
        images[order],
        np.concatenate([truth.classes[found], truth.classes[wrong]])[order],
        np.concatenate([boxes, elsewhere])[order],
        scores[order],
    )


def like_coco(images: int, rng) -> GroundTruth:
    """Return as many images with COCO's classes, in groups as large as COCO's."""
    names = list(CLASS_COUNTS)
    sizes = np.array([GROUP_SIZE.get(name, 1.6) for name in names])
    groups = np.array(list(CLASS_COUNTS.values())) / sizes * images / 118_287
    classes, places = [], []
    for k, number in enumerate(rng.poisson(groups)):
        of_group = 1 + rng.poisson(sizes[k] - 1, number)
        classes.append(np.full(of_group.sum(), k))
        places.append(np.repeat(rng.integers(0, images, number), of_group))
    classes, places = np.concatenate(classes), np.concatenate(places)
    sides = np.exp(rng.normal(4, 0.8, (len(classes), 2)))
    return GroundTruth(
        image_ids=np.arange(images),
        file_names=("",) * images,
        class_ids=np.arange(len(names)),
        class_names=tuple(names),
        images=places,
        classes=classes,
        boxes=np.concatenate([rng.uniform(0, 2000, (len(classes), 2)), sides], axis=1),
        areas=sides.prod(axis=1),
        crowd=np.zeros(len(classes), bool),
    )


if __name__ == "__main__":
    main()
