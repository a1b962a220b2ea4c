"""A synthetic annotation file of COCO's size, with the published count of every class.

What makes choosing a subset hard is kept: classes that occur together (an image has a scene, a
scene its classes), several of a class in an image, box sizes that differ by class, crowd
annotations, images without annotation, and polygons as long as COCO's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

IMAGES = 118_287
EMPTY_IMAGES = 1_021
CROWD_SHARE = 0.012

# Annotations of each class in instances_train2017.json (sum 860,001), in the file's category order,
# counted from the public COCO 2017 release.
# fmt: off
CLASS_COUNTS = {
    "person": 262465, "bicycle": 7113, "car": 43867, "motorcycle": 8725, "airplane": 5135,
    "bus": 6069, "train": 4571, "truck": 9973, "boat": 10759, "traffic light": 12884,
    "fire hydrant": 1865, "stop sign": 1983, "parking meter": 1285, "bench": 9838,
    "bird": 10806, "cat": 4768, "dog": 5508, "horse": 6587, "sheep": 9509, "cow": 8147,
    "elephant": 5513, "bear": 1294, "zebra": 5303, "giraffe": 5131, "backpack": 8720,
    "umbrella": 11431, "handbag": 12354, "tie": 6496, "suitcase": 6192, "frisbee": 2682,
    "skis": 6646, "snowboard": 2685, "sports ball": 6347, "kite": 9076,
    "baseball bat": 3276, "baseball glove": 3747, "skateboard": 5543, "surfboard": 6126,
    "tennis racket": 4812, "bottle": 24342, "wine glass": 7913, "cup": 20650, "fork": 5479,
    "knife": 7770, "spoon": 6165, "bowl": 14358, "banana": 9458, "apple": 5851,
    "sandwich": 4373, "orange": 6399, "broccoli": 7308, "carrot": 7852, "hot dog": 2918,
    "pizza": 5821, "donut": 7179, "cake": 6353, "chair": 38491, "couch": 5779,
    "potted plant": 8652, "bed": 4192, "dining table": 15714, "toilet": 4157, "tv": 5805,
    "laptop": 4970, "mouse": 2262, "remote": 5703, "keyboard": 2855, "cell phone": 6434,
    "microwave": 1673, "oven": 3334, "toaster": 225, "sink": 5610, "refrigerator": 2637,
    "book": 24715, "clock": 6334, "vase": 6613, "scissors": 1481, "teddy bear": 4793,
    "hair drier": 198, "toothbrush": 1954,
}

# COCO's own category ids have gaps; these are the ids that no category has.
MISSING_CATEGORY_IDS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)

# Mean annotations of the class in an image that has it, where it is far from 1.6.
GROUP_SIZE = {
    "person": 4.1, "car": 3.6, "chair": 3.0, "book": 4.6, "bottle": 2.9, "cup": 2.2, "sheep": 6.2,
    "cow": 4.1, "bird": 3.3, "boat": 3.6, "traffic light": 3.1, "banana": 4.2, "apple": 3.7,
    "orange": 3.7, "carrot": 4.6, "broccoli": 3.8, "donut": 4.7, "kite": 4.0, "umbrella": 2.9,
    "bowl": 2.0, "potted plant": 1.9, "vase": 1.8, "wine glass": 3.1, "skis": 2.1, "zebra": 2.8,
}

# Classes that are seen together. Each image has one scene; a class may belong to several.
SCENES = {
    "street": "person bicycle car motorcycle bus truck traffic_light fire_hydrant stop_sign "
              "parking_meter bench handbag backpack umbrella clock dog",
    "station": "person train bus suitcase backpack handbag bench clock traffic_light",
    "air and water": "person airplane boat bird kite surfboard bench truck umbrella",
    "field": "person sheep cow horse elephant bear zebra giraffe bird dog",
    "sports": "person frisbee sports_ball baseball_bat baseball_glove tennis_racket skateboard "
              "bench chair bottle backpack",
    "snow": "person skis snowboard backpack",
    "table": "person bottle wine_glass cup fork knife spoon bowl dining_table chair pizza cake "
             "sandwich cell_phone",
    "food": "banana apple sandwich orange broccoli carrot hot_dog pizza donut cake bowl spoon fork "
            "dining_table cup knife",
    "kitchen": "microwave oven toaster sink refrigerator bottle cup bowl knife spoon chair "
               "potted_plant clock wine_glass banana vase",
    "living room": "person couch chair tv remote book potted_plant vase clock cat dog laptop "
                   "teddy_bear dining_table cup",
    "desk": "tv laptop mouse keyboard cell_phone book cup chair bottle scissors remote cat",
    "bathroom": "toilet sink toothbrush hair_drier bottle cup cat vase",
    "bedroom": "bed teddy_bear book cat dog chair tv clock suitcase person laptop",
    "portrait": "person tie cell_phone handbag umbrella cake wine_glass teddy_bear cup",
}
SCENE_SHARES = np.array([15, 5, 9, 12, 12, 5, 9, 6, 5, 7, 5, 3, 3, 4]) / 100
# fmt: on


@dataclass(frozen=True)
class Layout:
    """The annotations of the file without their geometry.

    Attributes:
        image: Index of each annotation's image, ``(annotations,)``, sorted.
        category: Index of each annotation's class, ``(annotations,)``.
        area: Each annotation's ``area`` in pixels, ``(annotations,)``.
        crowd: Whether it is a crowd annotation, ``(annotations,)``.
        num_images: Number of images, those without annotation included.
        classes: Class names in the order of ``category``.
    """

    image: np.ndarray
    category: np.ndarray
    area: np.ndarray
    crowd: np.ndarray
    num_images: int
    classes: list[str]


def lay_out(
    counts: dict[str, int] = CLASS_COUNTS,
    num_images: int = IMAGES,
    num_empty: int = EMPTY_IMAGES,
    seed: int = 0,
) -> Layout:
    """Place annotations of the given class counts in images; every count is exact.

    Args:
        counts: Number of annotations of each class.
        num_images: Number of images.
        num_empty: Images among them that get no annotation.
        seed: Seed of every draw.
    """
    rng = np.random.default_rng(seed)
    classes = list(counts)
    filled = num_images - num_empty
    member = np.zeros((len(classes), len(SCENES)), dtype=bool)
    for column, names in enumerate(SCENES.values()):
        for name in names.split():
            member[classes.index(name.replace("_", " ")), column] = True

    scene = rng.choice(len(SCENES), size=filled, p=SCENE_SHARES / SCENE_SHARES.sum())
    log_richness = np.log(rng.gamma(1.1, 1.0, size=filled) + 0.02)
    images, categories = [], []
    for index, name in enumerate(classes):
        groups = _split(counts[name], GROUP_SIZE.get(name, 1.6), min(filled, counts[name]), rng)
        # The Gumbel trick: the largest keys are a draw without replacement by these weights. One
        # annotation in about twenty stands outside its scenes, as in real photographs.
        affinity = np.where(member[index][scene], 0.0, np.log(0.01 if name != "person" else 0.15))
        keys = affinity + log_richness + rng.gumbel(size=filled)
        chosen = np.argsort(-keys, kind="stable")[: len(groups)]
        images.append(np.repeat(rng.permutation(chosen), groups))
        categories.append(np.full(counts[name], index))
    image, category = np.concatenate(images), np.concatenate(categories)
    _fill_the_rest(image, category, filled, rng)

    # Scatter the filled images among the empty ones.
    place = np.sort(rng.permutation(num_images)[:filled])
    order = np.argsort(image, kind="stable")
    image, category = place[image[order]], category[order]

    # Share of small, medium and large boxes differs by class; COCO has 41, 34 and 24% overall.
    shares = rng.dirichlet([2.6, 2.1, 1.6], size=len(classes)).cumsum(axis=1)
    size = (rng.random(len(image))[:, None] > shares[category]).sum(axis=1).clip(max=2)
    low, high = np.array([20.0, 1024.0, 9216.0])[size], np.array([1024.0, 9216.0, 250_000.0])[size]
    area = low * (high / low) ** (rng.random(len(image)) * 0.999)
    crowd = rng.random(len(image)) < CROWD_SHARE
    return Layout(image, category, np.round(area, 4), crowd, num_images, classes)


def _split(total: int, mean: float, limit: int, rng: np.random.Generator) -> np.ndarray:
    """Split ``total`` into at most ``limit`` positive parts of the given mean, geometric in law."""
    number = int(np.clip(round(total / mean), 1, limit))
    parts = rng.geometric(number / total, size=number) if number < total else np.ones(number, int)
    surplus = int(parts.sum()) - total
    while surplus:
        if surplus > 0:
            candidates = np.flatnonzero(parts > 1)
        else:
            candidates = np.arange(number)
        picked = rng.permutation(candidates)[: abs(surplus)]
        parts[picked] -= 1 if surplus > 0 else -1
        surplus = int(parts.sum()) - total
    return parts


def _fill_the_rest(
    image: np.ndarray, category: np.ndarray, filled: int, rng: np.random.Generator
) -> None:
    """Move one class's annotations from crowded images to each image that got none, in place."""
    missing = np.setdiff1d(np.arange(filled), image)
    key = image * 1000 + category
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    kinds = np.bincount(image[first], minlength=filled)
    donors = iter(rng.permutation(len(first)))
    for target in missing:
        for group in donors:
            source = image[first[group]]
            if kinds[source] > 1:
                kinds[source] -= 1
                image[inverse == group] = target
                break


def write_coco(layout: Layout, path: Path, seed: int = 0) -> None:
    """Write ``layout`` as a COCO file with boxes and polygons as long as COCO's (about 450 MB).

    Args:
        layout: The annotations.
        path: File to write.
        seed: Seed of the geometry.
    """
    rng = np.random.default_rng(seed + 1)
    ids = [i for i in range(1, 91) if i not in MISSING_CATEGORY_IDS]
    widths = np.where(rng.random(layout.num_images) < 0.75, 640, 480)
    heights = np.where(widths == 640, 480, 640)
    image_ids = np.sort(rng.permutation(581_929)[: layout.num_images]) + 1
    annotation_ids = rng.permutation(2_200_000)[: len(layout.image)] + 1
    head = {
        "info": {"description": "Synthetic file of COCO 2017's size", "version": "1.0"},
        "licenses": [{"id": 1, "name": "none", "url": ""}],
        "images": [
            {
                "license": 1,
                "file_name": f"{number:012d}.jpg",
                "coco_url": f"http://images.cocodataset.org/train2017/{number:012d}.jpg",
                "height": height,
                "width": width,
                "date_captured": "2013-11-14 11:18:45",
                "flickr_url": f"http://farm9.staticflickr.com/8186/{number:010d}_d3c7d4a8d2_z.jpg",
                "id": number,
            }
            for number, width, height in zip(
                image_ids.tolist(), widths.tolist(), heights.tolist(), strict=True
            )
        ],
    }
    with open(path, "wb") as file:
        file.write(orjson.dumps(head)[:-1] + b',"annotations":[')
        step = 20_000
        for start in range(0, len(layout.image), step):
            chunk = slice(start, min(start + step, len(layout.image)))
            rows = _geometry(layout, chunk, widths, heights, image_ids, annotation_ids, ids, rng)
            file.write((b"," if start else b"") + orjson.dumps(rows)[1:-1])
        categories = [
            {"supercategory": "thing", "id": ids[index], "name": name}
            for index, name in enumerate(layout.classes)
        ]
        file.write(b'],"categories":' + orjson.dumps(categories) + b"}")


def _geometry(layout, chunk, widths, heights, image_ids, annotation_ids, ids, rng) -> list[dict]:
    image = layout.image[chunk]
    width, height = widths[image], heights[image]
    # The box is larger than the outlined area, as in COCO.
    box_area = np.minimum(layout.area[chunk] * 1.5, 0.95 * width * height)
    box_width = np.minimum(np.sqrt(box_area) * rng.uniform(0.7, 1.4, len(image)), width * 0.99)
    box_height = np.minimum(box_area / box_width, height * 0.99)
    left = rng.random(len(image)) * (width - box_width)
    top = rng.random(len(image)) * (height - box_height)
    boxes = np.round(np.stack([left, top, box_width, box_height], axis=1), 2)
    lengths = np.clip(rng.gamma(1.5, 17.6, len(image)).astype(int), 4, 400)
    ends = np.cumsum(lengths)
    turn = rng.random(ends[-1]) * 2 * np.pi
    owner = np.repeat(np.arange(len(image)), lengths)
    xs = left[owner] + box_width[owner] * (0.5 + 0.5 * np.cos(turn))
    ys = top[owner] + box_height[owner] * (0.5 + 0.5 * np.sin(turn))
    points = np.round(np.stack([xs, ys], axis=1).ravel(), 2).tolist()
    rows = []
    start = 0
    areas, crowds = layout.area[chunk].tolist(), layout.crowd[chunk].tolist()
    for index, end in enumerate((2 * ends).tolist()):
        if crowds[index]:
            size = [int(height[index]), int(width[index])]
            counts = (np.diff(np.linspace(0, size[0] * size[1], 60)).astype(int)).tolist()
            segmentation = {"counts": counts, "size": size}
        else:
            segmentation = [points[start:end]]
        start = end
        position = chunk.start + index
        rows.append(
            {
                "segmentation": segmentation,
                "area": areas[index],
                "iscrowd": int(crowds[index]),
                "image_id": int(image_ids[image[index]]),
                "bbox": boxes[index].tolist(),
                "category_id": ids[layout.category[position]],
                "id": int(annotation_ids[position]),
            }
        )
    return rows


def read_class_counts(path: Path) -> dict[str, int]:
    """Read a JSON object of class name to number of annotations."""
    return json.loads(path.read_text(encoding="utf-8"))
