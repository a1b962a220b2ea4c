"""A batch sampler whose place in the training can be computed: resuming reads nothing again.

MMDetection's ``AspectRatioBatchSampler`` fills its two buckets while it runs, so the batch at
iteration 300,000 is known only after drawing the 299,999 before it, which MMEngine does by loading
every one. Here the batches of each pass over the data are a function of (seed, number of the pass).
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmdet.registry import DATA_SAMPLERS
from mmengine.dist import get_dist_info
from torch.utils.data import BatchSampler, Sampler, get_worker_info

from fzmm.datasets.samplers.seeding import mix, preserved_rng, seed_everything
from fzmm.errors import UserError


class SeededBatch(list):
    """Indices of one batch, with the seed that its samples' augmentation starts from."""

    def __init__(self, indices: list[int], seed: int = 0) -> None:
        super().__init__(indices)
        self.seed = seed


@DATA_SAMPLERS.register_module()
class ResumableAspectRatioBatchSampler(BatchSampler):
    """Infinite batches of images of like aspect ratio; resumes at once.

    The stream of batches is the same for any number of processes: in iteration ``n`` the process
    of rank ``r`` among ``w`` gets batch ``n * w + r``. Each pass over the data is a new permutation
    cut into ``images // batch_size`` full batches. As in MMDetection, what is left over in the
    groups at the end of a pass is put together, so a pass may end with mixed batches, fewer than
    there are groups; at most ``batch_size - 1`` images, others each time, are left out of a pass.

    It also makes random augmentation repeatable: the dataset's samples are fetched with Python's,
    NumPy's and torch's generators seeded from the place of the sample in the stream, whichever
    worker loads it, and the process's own generators are left as they were.

    Args:
        sampler: A sampler that has ``dataset`` and may have ``seed`` (default 0) and ``shuffle``
            (default True), as MMEngine's ``InfiniteSampler`` and ``DefaultSampler``. Its order is
            not used.
        batch_size: Images in a batch of one process.
        drop_last: Accepted because MMDetection's sampler has it; all batches are full.
        aspect_ratios: Width / height at the borders between groups, ascending. By default
            MMDetection's two groups, of images that are taller than wide and those that are not.
    """

    def __init__(
        self,
        sampler: Sampler,
        batch_size: int,
        drop_last: bool = True,
        aspect_ratios: Sequence[float] = (1.0,),
    ) -> None:
        if batch_size < 1:
            raise UserError(f"train_dataloader.batch_size must be positive, not {batch_size}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.seed = int(getattr(sampler, "seed", None) or 0)
        self.shuffle = bool(getattr(sampler, "shuffle", True))
        self.rank, self.world_size = get_dist_info()

        self.start = 0
        dataset = sampler.dataset
        ratios, boxes = _look_through(dataset)
        self.group = np.digitize(ratios, aspect_ratios)
        self.groups = len(aspect_ratios) + 1
        name = getattr(dataset, "ann_file", "the training dataset")
        if not len(self.group):
            raise UserError(
                f"{name} has no image to train on: every image is without a box of the config's "
                "classes"
            )

        if boxes == 0:
            raise UserError(
                f"{name} has no box to learn: all are crowds, marked `ignore` or outside their "
                "images"
            )

        # torch's fetcher hands a whole batch to __getitems__ where a dataset has it.
        dataset.__getitems__ = functools.partial(fetch, dataset)
        self._pass: tuple[int, np.ndarray] | None = None

    @property
    def batches_per_pass(self) -> int:
        """Batches of all processes in one pass over the data."""
        return max(1, len(self.group) // self.batch_size)

    def seek(self, iteration: int) -> None:
        """Let the next iterator begin with the batch of ``iteration`` (0 is the first)."""
        if iteration < 0:
            raise ValueError(f"iteration must not be negative, not {iteration}")
        self.start = iteration

    def batch(self, number: int) -> SeededBatch:
        """Return batch ``number`` of the stream that all processes share."""
        index, place = divmod(number, self.batches_per_pass)
        if self._pass is None or self._pass[0] != index:
            self._pass = (index, self._batches_of_pass(index))
        return SeededBatch(self._pass[1][place].tolist(), seed=mix(self.seed, 1, number))

    def __iter__(self) -> Iterator[SeededBatch]:
        number = self.start * self.world_size + self.rank
        while True:
            yield self.batch(number)
            number += self.world_size

    def __len__(self) -> int:
        """Iterations in one pass over the data, rounded down."""
        return max(1, self.batches_per_pass // self.world_size)

    def _batches_of_pass(self, index: int) -> np.ndarray:
        """Return the batches of one pass as indices of shape (batches, batch_size)."""
        images, size = len(self.group), self.batch_size
        if self.shuffle:
            # Sorting raw 64-bit draws: only NumPy's raw streams are promised never to change.
            draws = np.random.PCG64(np.random.SeedSequence((self.seed, 0, index)))
            order = np.argsort(draws.random_raw(images), kind="stable")
        else:
            order = np.arange(images)
        if images < size:  # so few images that one batch needs some of them twice
            return np.resize(order, (1, size))
        drawn = self.group[order]

        batches, complete_at, rest = [], [], []
        for group in (np.flatnonzero(drawn == number) for number in range(self.groups)):
            full = len(group) // size * size
            batches.append(order[group[:full]].reshape(-1, size))
            complete_at.append(group[size - 1 : full : size])
            rest.append(order[group[full:]])

        # A batch comes when its last image is drawn, so that the groups alternate at random.
        grouped = np.concatenate(batches)[np.argsort(np.concatenate(complete_at))]
        left = np.concatenate(rest)
        mixed = left[: len(left) // size * size].reshape(-1, size)
        return np.concatenate([grouped, mixed])


def fetch(dataset: Any, batch: list[int]) -> list[Any]:
    """Return the samples of ``batch``, each a function of its place in the training alone.

    Raises:
        UserError: If an image cannot be read.
    """
    if get_worker_info() is None:  # in the training process itself: its generators are the model's
        with preserved_rng():
            return _fetch(dataset, batch)
    return _fetch(dataset, batch)


def _fetch(dataset: Any, batch: list[int]) -> list[Any]:
    samples = []
    for place, index in enumerate(batch):
        if isinstance(batch, SeededBatch):
            seed_everything(mix(batch.seed, place))
        samples.append(_load(dataset, index))
    return samples


def _load(dataset: Any, index: int, retries: int = 2, pause: float = 1.0) -> Any:
    """Load one sample, naming the image where that fails.

    A run does not go on without an image: it would be trained on other data than its record says,
    and it is lost time for nobody, as it continues with ``--resume`` once the image is there. A
    network file system is given time for a hiccup.
    """
    for attempt in range(retries + 1):
        try:
            sample = dataset[index]
            break
        except Exception as error:
            path = _image_path(dataset, index)
            problem = _image_problem(path) or _decoding_problem(error)
            if problem is None:
                raise  # the image is sound: another mistake, which needs its traceback
            if attempt == retries:
                raise UserError(_remedy(path, problem)) from error
            time.sleep(pause)

    # OpenCV fills the missing part of a truncated JPEG with grey and says nothing to its caller.
    data_sample = sample.get("data_samples") if isinstance(sample, dict) else None
    path = getattr(data_sample, "img_path", None)
    if path and (problem := _image_problem(path)):
        raise UserError(_remedy(path, problem))
    return sample


def _remedy(path: str, problem: str) -> str:
    return f"training image {path} {problem}: put it back and continue with --resume"


def _decoding_problem(error: Exception) -> str | None:
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror or error})"
    if "failed to load image" in str(error) or type(error).__module__.startswith("cv2"):
        return "cannot be decoded"
    return None


def _image_path(dataset: Any, index: int) -> str:
    info = dataset.get_data_info(index)
    return str(info.get("img_path") or info.get("file_name") or f"number {index}")


def _image_problem(path: str) -> str | None:
    """Return what is wrong with an image file, or None if it exists and has its end mark."""
    try:
        with open(path, "rb") as file:
            head = file.read(4)
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 64))  # some writers pad the end
            tail = file.read()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"

    if not head:
        return "is empty"
    if head.startswith(b"\xff\xd8") and b"\xff\xd9" not in tail:
        return "is truncated (a JPEG without its end mark)"
    if head == b"\x89PNG" and b"IEND" not in tail:
        return "is truncated (a PNG without its end chunk)"

    return None


def _look_through(dataset: Any) -> tuple[np.ndarray, int | None]:
    """Return width / height of each image, and how many boxes there are to learn.

    The latter is None where the dataset does not say.
    """
    ratios = np.empty(len(dataset))
    boxes: int | None = None
    for index in range(len(dataset)):  # one at a time: together they would fill the memory
        info = dataset.get_data_info(index)
        ratios[index] = info["width"] / info["height"]
        if "instances" in info:
            boxes = (boxes or 0) + sum(not box.get("ignore_flag") for box in info["instances"])
    return ratios, boxes
