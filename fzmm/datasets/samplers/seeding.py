"""Random numbers as a function of where a training is, so that a resumed run draws the same ones.

The usual way, saving the state of every generator in the checkpoint, cannot be exact for MMEngine's
runs: the data workers' generators live in other processes that are some unknown number of samples
ahead. So nothing is saved; each sample and each iteration starts from a seed that follows from the
run's seed and its place in the training.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch


def mix(*numbers: int) -> int:
    """Return one 64-bit seed for a tuple of non-negative integers, such as (seed, iteration, rank).

    NumPy's ``SeedSequence`` (O'Neill's ``seed_seq`` design) keeps neighbouring tuples uncorrelated,
    and its output is guaranteed to stay the same in later versions of NumPy (NEP 19).
    """
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def seed_everything(seed: int) -> None:
    """Seed ``random``, NumPy's global generator and torch's, on the CPU and on CUDA.

    ``torch.manual_seed`` does the same in 230 us, as it looks for devices to seed later.
    """
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


@contextlib.contextmanager
def preserved_rng() -> Iterator[None]:
    """Leave the block with every generator of this process as it was before it."""
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
