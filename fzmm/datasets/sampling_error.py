"""How much can be read from an AP or mAP of so many boxes, known before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence

# A class with fewer boxes has an AP that says little: with 20, at an AP of 0.5, other images of the
# same kind would move it by some 11 points (one standard error), whatever is trained.
FEW_BOXES = 20

# Of a real and simulated detectors with an mAP of 14 to 71%, the standard error of mAP was 0.50 to
# 0.93 of what `map_error` says at most, see benchmarks/README.md.
LEAST_SHARE = 0.5


def ap_error(boxes: int, ap: float = 0.5) -> float:
    """Return the standard error of one class's AP for the choice of the images.

    That of a share of so many trials (Boyd, Eng and Page, "Area under the precision-recall curve:
    point estimates and confidence intervals", ECML PKDD 2013, whose binomial interval has the
    number of positives as its n).

    Args:
        boxes: Of the class, 1 at least.
        ap: In [0, 1]; the default gives the largest error.
    """
    return math.sqrt(ap * (1 - ap) / boxes)


def map_error(boxes: Sequence[int]) -> tuple[float, float]:
    """Return the least and the most that the standard error of mAP will be.

    The most is that of a mean of APs with an error of their own each, all near 0.5. COCO's mAP is
    also a mean over ten thresholds of IoU, and detectors are better or worse than that.

    Args:
        boxes: Of each class.
    """
    errors = [ap_error(number) for number in boxes if number]
    most = math.sqrt(sum(error**2 for error in errors)) / len(errors)
    return LEAST_SHARE * most, most
