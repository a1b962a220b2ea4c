import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.datasets.samplers import AspectRatioBatchSampler
from mmengine.config import Config
from torch.utils.data import DataLoader, Sampler

from fzmm.datasets.samplers.resumable_batch_sampler import ResumableAspectRatioBatchSampler
from fzmm.errors import UserError

ROOT = Path(__file__).parents[3]


class Images:
    """Images of which every third is taller than wide; a sample shows its random draws."""

    def __init__(self, number):
        self.number = number

    def __len__(self):
        return self.number

    def get_data_info(self, index):
        return dict(width=(4, 3)[index % 3 == 0], height=(3, 4)[index % 3 == 0])

    def __getitem__(self, index):
        return index, np.random.randint(1 << 30), random.random(), torch.rand(()).item()


class Order:
    def __init__(self, dataset, seed=5, shuffle=True):
        self.dataset, self.seed, self.shuffle = dataset, seed, shuffle


def make(images=101, batch_size=4, rank=0, world_size=1, **kwargs):
    sampler = ResumableAspectRatioBatchSampler(Order(Images(images), **kwargs), batch_size)
    sampler.rank, sampler.world_size = rank, world_size
    return sampler


def take(sampler, number):
    iterator = iter(sampler)
    return [next(iterator) for _ in range(number)]


def test_any_iteration_at_once():
    stream = take(make(), 130)
    for iteration in (0, 1, 24, 25, 26, 99):
        sampler = make()
        sampler.seek(iteration)
        again = take(sampler, 30)
        assert again == stream[iteration : iteration + 30]
        assert [b.seed for b in again] == [b.seed for b in stream[iteration : iteration + 30]]
    far = make()
    far.seek(10**12)
    assert len(take(far, 1)[0]) == 4


def test_processes_share_one_stream():
    stream = take(make(), 60)
    ranks = [take(make(rank=rank, world_size=3), 20) for rank in range(3)]
    assert [batch for group in zip(*ranks, strict=True) for batch in group] == stream


@pytest.mark.parametrize(("images", "batch_size"), [(101, 4), (12, 4), (7, 2), (50, 1), (9, 8)])
def test_a_pass_has_each_image_at_most_once_and_one_mixed_batch_at_most(images, batch_size):
    sampler = make(images, batch_size)
    number = sampler.batches_per_pass
    assert number == images // batch_size
    seen = Counter()
    for index in range(20):
        batches = [sampler.batch(index * number + place) for place in range(number)]
        flat = [i for batch in batches for i in batch]
        assert len(flat) == len(set(flat)) == number * batch_size
        assert sum(len({i % 3 == 0 for i in batch}) > 1 for batch in batches[:-1]) == 0
        seen.update(flat)
    assert set(seen) == set(range(images))  # who is left out of a pass changes


def test_passes_differ_and_follow_the_seed():
    sampler, other = make(), make(seed=6)
    passes = [sorted(map(tuple, (sampler.batch(25 * p + i) for i in range(25)))) for p in range(2)]
    assert passes[0] != passes[1]
    assert take(sampler, 25) != take(other, 25)
    assert take(make(shuffle=False, images=12), 3) == [[1, 2, 4, 5], [0, 3, 6, 9], [7, 8, 10, 11]]


def test_same_kind_of_batches_as_mmdetection():
    """Both groups come in proportion, mixed over the pass as in MMDetection's sampler."""

    class Source(Sampler):
        dataset = Images(3000)

        def __iter__(self):
            return iter(np.random.default_rng(0).permutation(3000).tolist())

        def __len__(self):
            return 3000

    theirs = list(AspectRatioBatchSampler(Source(), 2))
    ours = take(make(3000, 2), 1500)
    for batches in (theirs, ours):
        tall = np.array([batch[0] % 3 == 0 for batch in batches])
        assert tall.sum() == 500
        # the halves of a pass hold the same share of each group
        assert abs(int(tall[:750].sum()) - 250) < 50
        assert 200 < np.flatnonzero(np.diff(tall.astype(int))).size < 1000


def test_torchvisions_eight_groups():
    """Its reference script cuts at 2 ** np.linspace(-1, 1, 7); the study's config says the same."""
    borders = Config.fromfile(ROOT / "configs/fz/coco100_unfrozen.py").train_dataloader
    borders = borders.batch_sampler.aspect_ratios
    np.testing.assert_allclose(borders, 2 ** np.linspace(-1, 1, 7), rtol=1e-15)

    class Widths(Images):
        def get_data_info(self, index):
            return dict(width=int(np.random.default_rng(index).integers(30, 400)), height=100)

    sampler = ResumableAspectRatioBatchSampler(Order(Widths(500)), 2, aspect_ratios=borders)
    ratios = np.array([Widths(500).get_data_info(i)["width"] / 100 for i in range(500)])
    groups = np.digitize(ratios, borders)
    assert set(groups) == set(range(8))
    batches = take(sampler, sampler.batches_per_pass)
    assert sorted(index for batch in batches for index in batch) == list(range(500))
    mixed = [number for number, batch in enumerate(batches) if len(set(groups[batch])) > 1]
    assert len(mixed) <= 4 and min(mixed, default=250) >= 246  # what is left over, at the end


def test_few_images():
    sampler = make(3, 8)
    assert sampler.batches_per_pass == 1
    assert Counter(sampler.batch(0)).keys() == {0, 1, 2}


def test_samples_do_not_depend_on_the_worker_and_leave_the_process_alone():
    def samples(workers, skip=0):
        sampler = make(24, 2)
        sampler.seek(skip)
        loader = DataLoader(
            sampler.sampler.dataset,
            batch_sampler=sampler,
            num_workers=workers,
            collate_fn=list,
        )
        iterator = iter(loader)
        return [next(iterator) for _ in range(20 - skip)]

    torch.manual_seed(1)
    np.random.seed(1)
    alone = samples(0)
    assert alone == samples(3)
    assert alone[13:] == samples(2, skip=13)
    assert len({draw for batch in alone for _, draw, _, _ in batch}) == 40
    np.random.seed(2)
    expected = np.random.randint(1 << 30)
    np.random.seed(2)
    samples(0)
    assert np.random.randint(1 << 30) == expected


@pytest.mark.parametrize("flags", [[], [1, 1]])
def test_data_of_which_no_box_can_be_learned(flags):
    """All outside their images, crowds or marked ``ignore``: it would train for an mAP of 0."""

    class Boxless(Images):
        def get_data_info(self, index):
            boxes = [dict(ignore_flag=flag) for flag in flags]
            return super().get_data_info(index) | dict(instances=boxes)

    with pytest.raises(UserError, match="has no box to learn"):
        ResumableAspectRatioBatchSampler(Order(Boxless(9)), 2)
