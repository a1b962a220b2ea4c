"""Images with boxes, and detections of them that are right, near, doubled, of another class."""

import numpy as np

from fzmm.predictions import Predictions


def scene(seed, images=20, boxes=6, classes=4, crowd=0.1):
    """A COCO object with boxes of all three sizes, ids neither sorted nor dense."""
    rng = np.random.default_rng(seed)
    annotations = []
    for image in range(images):
        for _ in range(int(rng.integers(0, boxes + 1))):
            side = float(rng.choice([15, 60, 150])) * rng.uniform(0.7, 1.3, 2)
            x, y = rng.uniform(0, 300, 2)
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=1000 - 7 * image,
                    category_id=int(rng.integers(0, classes)) * 10 + 5,
                    bbox=[float(x), float(y), float(side[0]), float(side[1])],
                    area=float(side[0] * side[1] * rng.uniform(0.6, 1)),
                    iscrowd=int(rng.random() < crowd),
                )
            )
    return dict(
        images=[
            dict(id=1000 - 7 * i, file_name=f"{i}.jpg", width=500, height=500)
            for i in range(images)
        ],
        categories=[
            dict(id=10 * k + 5, name=name)
            for k, name in reversed(list(enumerate(["ant", "bee", "cat", "dog", "eel"][:classes])))
        ],
        annotations=annotations,
    )


def detect(coco, seed, misses=0.3, noise=0.06, others=3, ties=True):
    """Detections of a scene: of most boxes one or two, a few of nothing."""
    rng = np.random.default_rng(seed)
    classes = sorted(category["id"] for category in coco["categories"])
    rows = []
    for one in coco["annotations"]:
        for _ in range(int(rng.random() > misses) + int(rng.random() > 0.7)):
            size = np.array(one["bbox"][2:] * 2)
            box = np.array(one["bbox"]) + rng.normal(0, noise, 4) * size
            box[2:] = np.maximum(box[2:], 2)
            right = rng.random() > 0.15
            category = one["category_id"] if right else int(rng.choice(classes))
            rows.append((one["image_id"], category, box, rng.random()))
    for image in coco["images"]:
        for _ in range(int(rng.integers(0, others + 1))):
            box = np.concatenate([rng.uniform(0, 300, 2), rng.uniform(10, 120, 2)])
            rows.append((image["id"], int(rng.choice(classes)), box, 0.7 * rng.random()))
    scores = np.array([row[3] for row in rows])
    return Predictions(
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows]),
        np.array([row[2] for row in rows]).reshape(-1, 4),
        scores.round(1) if ties else scores,
    )


def records(predictions):
    """COCO's results."""
    return [
        dict(
            image_id=int(predictions.image_ids[i]),
            category_id=int(predictions.category_ids[i]),
            bbox=predictions.boxes[i].tolist(),
            score=float(predictions.scores[i]),
        )
        for i in range(len(predictions))
    ]
