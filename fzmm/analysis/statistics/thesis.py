"""What the thesis reports, to stand beside what was measured.

Wei Zheng, "Impact of Input Dataset Size and Fine-tuning on Faster R-CNN with Transfer Learning",
MSc thesis, University of Tartu, 2023. mAP in percentage points, times in hours.
"""

from __future__ import annotations

# Section 5.1: the largest differences between 3 repeats of one set-up, COCO25-1, six scenarios.
REPEATS = {"best": (0.4, 1.6), "last": (0.3, 1.3), "time": (2.9, 4.9)}
# Section 5.2: the same between the subsets COCO25-1, -2 and -3.
SUBSETS = {"best": (0.5, 2.0), "last": (0.7, 2.9), "time": (3.4, 5.1)}

# The stand-in for a noise that was not measured: best mAP, as a fraction, and time, relative.
NOISE_MAP = REPEATS["best"][0] / 100
NOISE_TIME = REPEATS["time"][1] / 100

# By data amount; COCO25-1 is the subset that stands for 25% (section 5).
LARGEST_GAP = {"coco100": 0.3, "coco50": 2.3, "coco25-1": 2.7}  # 5.3.1, Figure 10
SCENARIO_SPREAD = {"coco100": 7.1, "coco50": 4.0, "coco25-1": 1.5}  # 5.3.2, Figure 10
FROZEN_GAP = {"coco100": 0.0, "coco50": 0.1, "coco25-1": 0.4}  # 5.3.3, Figure 12

# Table 1: images and annotations.
IMAGES = {
    "coco100": (118287, 861002),
    "coco50": (59144, 434964),
    "coco25-1": (29572, 216127),
    "coco25-2": (29572, 216887),
    "coco25-3": (29572, 217750),
}

# Table 2: gain at the first decay, for 0 to 5 trainable stages.
DECAY_GAIN = {
    "coco100": (3.5, 3.4, 5.3, 6.3, 6.1, 6.0),
    "coco50": (2.3, 2.6, 3.6, 4.3, 4.6, 4.7),
    "coco25-1": (2.7, 1.8, 4.1, 3.3, 3.6, 3.5),
}

# Section 5.6, Figure 17: first epoch, best, epoch index of the best.
PRETRAINED = (18.5, 37.7, 25)
SCRATCH = (4.5, 32.5, 66)
BENCHMARK_MAP = 37.0  # torchvision, 3 trainable stages, section 4.3
