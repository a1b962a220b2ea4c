"""What is compared with torchvision: inputs that NumPy makes alike in both environments."""

import zlib

import numpy as np

CLASSES = 3
# Odd sizes in one padding; 224 and 352 are odd multiples of 32, where strides of P6 are not 64.
PADDED = (224, 352)
IMAGE_SIZES = ((200, 333), (171, 290))
BOXES = {  # inside the smaller image; the second image has them mirrored
    "tiny": [[60, 60, 64, 64], [120, 40, 128, 48], [200, 100, 212, 112], [20, 150, 20.5, 150.5]],
    "nested": [[80, 70, 140, 130], [90, 80, 120, 110], [95, 85, 110, 100], [97, 87, 104, 94]],
    "border": [[0, 0, 30, 20], [260, 0, 290, 171], [0, 150, 290, 171], [281, 165, 290, 171]],
}

TRAINED_SIZES = ((90, 125), (96, 107))
TRAINED_PADDED = (96, 128)
PROPOSALS = 300  # all of them are sampled, so that their order does not matter
STEPS = 3
OPTIMIZER = dict(lr=0.001, momentum=0.9, weight_decay=1e-4)

MAX_ITERS, MILESTONES, WARMUP = 381_108, (234_528, 322_476), 1_000


def image_boxes():
    """Return the boxes of both images, of all kinds, (n, 4) float32."""
    boxes = np.array([box for kind in BOXES.values() for box in kind], np.float32)
    mirrored = boxes.copy()
    mirrored[:, [0, 2]] = IMAGE_SIZES[1][1] - boxes[:, [2, 0]]
    return [boxes, mirrored]


def training_batch():
    """Return normalised images (3, H, W), boxes (n, 4) and labels from 0 (n,) of two images."""
    rng = np.random.Generator(np.random.PCG64(1))
    images = [rng.standard_normal((3, *size)) for size in TRAINED_SIZES]
    boxes, labels = [], []
    for height, width in TRAINED_SIZES:
        corners = rng.uniform(0, 1, (5, 2)) * (width - 50, height - 50)
        boxes.append(np.hstack([corners, corners + rng.uniform(8, 50, (5, 2))]))
        labels.append(rng.integers(0, CLASSES, 5))
    return images, boxes, labels


def weight(name, shape):
    """Return a weight of torchvision's detector by its name: activations of a trained one's size.

    Args:
        name: torchvision's name.
        shape: Its shape.
    """
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    if len(shape) > 1:
        # MMDetection also bounds how much smaller than its anchor a box may be, torchvision only
        # how much larger: keep off that bound
        gain = 0.1 if "bbox_pred" in name else 1
        return rng.standard_normal(shape) * gain * np.sqrt(1.5 / np.prod(shape[1:]))
    if name.endswith("running_var"):
        return rng.uniform(0.5, 1.5, shape)
    if name.endswith("weight"):  # of a batch norm; the last of a block is added to its input
        return rng.uniform(0.5, 1.0, shape) * (0.3 if "bn3" in name else 1)
    return rng.standard_normal(shape) * 0.1


def permutation(n):
    """Return the permutation of ``n`` numbers that stands for chance."""
    return np.random.Generator(np.random.PCG64(n)).permutation(n)


def original_sizes():
    """Return height and width of 1,000 images, from 40 to 1,400 pixels."""
    return np.random.Generator(np.random.PCG64(2)).integers(40, 1400, (1000, 2))


def photograph():
    """Return an image of bytes (H, W, 3), RGB."""
    rng = np.random.Generator(np.random.PCG64(3))
    return rng.integers(0, 256, (70, 90, 3), dtype=np.uint8)
