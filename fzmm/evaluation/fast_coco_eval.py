"""COCO's box evaluation with the two slow steps of pycocotools done by faster-coco-eval."""

from __future__ import annotations

from collections import Counter
from operator import itemgetter

import numpy as np
from mmdet.datasets.api_wrappers import COCO
from pycocotools.cocoeval import COCOeval

try:
    from faster_coco_eval import COCO as FasterCOCO
    from faster_coco_eval import COCOeval_faster
except ImportError:
    FasterCOCO = COCOeval_faster = None


def is_available() -> bool:
    """Whether faster-coco-eval is installed."""
    return COCOeval_faster is not None


class InMemoryCOCO(COCO):
    """MMDetection's ``COCO`` whose results need no JSON file and no index."""

    @classmethod
    def of(cls, coco: COCO) -> InMemoryCOCO:
        """Return a view of ``coco`` that shares its annotations."""
        view = cls.__new__(cls)
        view.__dict__.update(coco.__dict__)
        return view

    def loadRes(self, records):  # noqa: N802, D102 (pycocotools' name, and meaning)
        if isinstance(records, Records):
            return records  # also an empty one, which pycocotools cannot load
        return super().loadRes(records)


class Records(list):
    """Box results as COCO's records: image_id, category_id, bbox (x, y, w, h), score."""

    def load(self, categories: list[dict], images: list[dict]) -> FasterCOCO:
        """Return what faster-coco-eval takes for detections."""
        for i, record in enumerate(self, 1):
            record["id"] = i
            record["area"] = record["bbox"][2] * record["bbox"][3]
            record["iscrowd"] = 0
        return FasterCOCO(dict(images=images, categories=categories, annotations=self))

    def largest_group(self, by_category: bool) -> int:
        """Return the largest number of detections in an image, or in one of its classes."""
        keys = ("image_id", "category_id") if by_category else ("image_id",)
        return max(Counter(map(itemgetter(*keys), self)).values(), default=0)


class FastCOCOeval(COCOeval):
    """pycocotools' ``COCOeval`` for boxes with matching and accumulation in C++.

    What is evaluated (``params``) and how it is summarised (``stats``) are pycocotools' own; in
    particular its AP over all IoU thresholds reads 100 detections, where faster-coco-eval's
    summary reads the last entry of ``maxDets``. ``eval`` holds the same ``precision``, ``recall``
    and ``scores``; ``evalImgs`` stays empty. Anything but in-memory boxes is left to pycocotools.
    """

    def evaluate(self) -> None:
        """Match detections to ground truth."""
        if not isinstance(self.cocoDt, Records):
            super().evaluate()
            return
        p = self.params
        # in the caller's order, in which MMDetection reads the AP of each class
        p.imgIds, p.catIds = list(np.unique(p.imgIds)), list(dict.fromkeys(p.catIds))
        p.maxDets = sorted(p.maxDets)
        ground_truth = FasterCOCO(
            dict(
                images=self.cocoGt.dataset["images"],
                categories=self.cocoGt.dataset["categories"],
                # copied, for faster-coco-eval writes into annotations
                annotations=[dict(ann) for ann in self.cocoGt.dataset.get("annotations", ())],
            )
        )

        detections = self.cocoDt.load(
            ground_truth.dataset["categories"], ground_truth.dataset["images"]
        )
        faster = COCOeval_faster(ground_truth, detections, "bbox", print_function=_silent)
        faster.params.imgIds, faster.params.catIds = p.imgIds, sorted(p.catIds)
        faster.params.iouThrs, faster.params.recThrs = p.iouThrs, p.recThrs
        faster.params.areaRng, faster.params.areaRngLbl = p.areaRng, p.areaRngLbl
        faster.params.useCats = p.useCats

        # Limits above the largest number of detections change nothing: evaluate only one of them.
        limits = _distinct_limits(p.maxDets, self.cocoDt.largest_group(p.useCats))
        faster.params.maxDets = limits
        faster.evaluate()
        faster.accumulate()
        index = [min(i, len(limits) - 1) for i in range(len(p.maxDets))]
        classes = np.searchsorted(sorted(p.catIds), p.catIds) if p.useCats else [0]
        # their last three axes are classes, areas and detection limits
        self._accumulated = {
            key: np.asarray(faster.eval[key])[..., classes, :, :][..., index]
            for key in ("precision", "recall", "scores")
        }

    def accumulate(self, p=None) -> None:
        """Turn matches into precision and recall."""
        if not isinstance(self.cocoDt, Records):
            super().accumulate(p)
            return
        self.eval = dict(self._accumulated)


def _distinct_limits(limits: list[int], largest: int) -> list[int]:
    enough = next((i for i, limit in enumerate(limits) if limit >= largest), len(limits) - 1)
    return limits[: enough + 1]


def _silent(*args, **kwargs) -> None:
    pass
