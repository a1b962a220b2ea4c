"""What the thesis reports, to stand beside what was measured.

Wei Zheng, "Impact of Input Dataset Size and Fine-tuning on Faster R-CNN with Transfer Learning",
MSc thesis, University of Tartu, 2023. mAP in percentage points, times in hours.
"""

from __future__ import annotations

from collections.abc import Sequence

from fzmm.analysis.reading.run import Run

# Section 5.1: the largest differences between 3 repeats of one set-up, COCO25-1, six scenarios.
REPEATS = {"best": (0.4, 1.6), "last": (0.3, 1.3), "time": (2.9, 4.9)}
# Section 5.2: the same between the subsets COCO25-1, -2 and -3.
SUBSETS = {"best": (0.5, 2.0), "last": (0.7, 2.9), "time": (3.4, 5.1)}

# The largest of six ranges of 3 normal draws is 2.91 standard deviations on average and varies as
# an estimate with 8 degrees of freedom does (200,000 simulated draws).
LARGEST_RANGE = REPEATS["best"][0] / 100
RANGE_IN_DEVIATIONS = 2.91
FREEDOM = 8

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

VALIDATION_IMAGES = 5_000

# Table 2: gain at the first decay, for 0 to 5 trainable stages.
DECAY_GAIN = {
    "coco100": (3.5, 3.4, 5.3, 6.3, 6.1, 6.0),
    "coco50": (2.3, 2.6, 3.6, 4.3, 4.6, 4.7),
    "coco25-1": (2.7, 1.8, 4.1, 3.3, 3.6, 3.5),
}

BENCHMARK_MAP = 37.0  # torchvision, 3 trainable stages, section 4.3


def is_coco(runs: Sequence[Run]) -> bool:
    """Whether runs are of the thesis's dataset: COCO by name and by every count that is known."""
    return all(
        run.dataset == "coco"
        and run.val.images in (None, VALIDATION_IMAGES)
        and run.train.images in (None, *(images for images, _ in IMAGES.values()))
        for run in runs
    )
