"""Continue a training with the batches and random numbers of the uninterrupted one."""

from __future__ import annotations

from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch.utils.data import DataLoader

from fzmm.datasets.samplers.resumable_batch_sampler import ResumableAspectRatioBatchSampler
from fzmm.datasets.samplers.seeding import mix, seed_everything
from fzmm.errors import UserError


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Start the data at the resumed iteration, and each iteration from its own seed.

    On resuming, MMEngine's loop draws and drops all data seen before, unless it can skip in a plain
    sampler. With a ``ResumableAspectRatioBatchSampler`` this hook
    positions the sampler before any worker starts, and gives the loop an iterator that has nothing
    to skip; that works with ``IterBasedTrainLoop`` of MMEngine 0.10.7 and of 0.10.12.

    The random numbers of the model (the proposals that RPN and RoI head sample) come from
    generators that are seeded before each iteration with a mix of (seed, iteration, rank). A saved
    generator state would do for a clean stop, but this needs nothing from other processes when a
    checkpoint is written, nothing in it, and cannot be disturbed by what happens between two
    iterations, such as a validation.

    A validation that was due at the checkpoint's iteration and was not finished is made up for
    before training goes on.

    Args:
        reseed: Whether to seed each iteration. Defaults to True.
    """

    priority = "LOWEST"

    def __init__(self, reseed: bool = True) -> None:
        self.reseed = reseed

    def before_train(self, runner: Any) -> None:
        """Keep what the order of the data follows from, or take it from the checkpoint."""
        hub, sampler = runner.message_hub, _resumable(runner.train_dataloader)
        if sampler is None:
            return
        world_size = hub.get_info("world_size")
        if runner.iter > 0 and world_size not in (None, sampler.world_size):
            runner.logger.warning(
                f"resumed with {sampler.world_size} processes instead of {world_size}: the batches "
                "differ from those of the uninterrupted run"
            )

        if runner.iter > 0:
            # Without randomness.seed in the config a new seed was drawn for the new process.
            sampler.seed = hub.get_info("data_seed", sampler.seed)
        hub.update_info("data_seed", sampler.seed)
        hub.update_info("world_size", sampler.world_size)

    def before_train_epoch(self, runner: Any) -> None:
        """Hand the loop an iterator that stands at the right batch."""
        loader, sampler = runner.train_dataloader, _resumable(runner.train_dataloader)
        if sampler is None or not hasattr(runner.train_loop, "dataloader_iterator"):
            return
        sampler.seek(runner.iter)
        loader._iterator = None  # torch's cache of an iterator with persistent workers
        runner.train_loop.dataloader_iterator = PositionedIterator(loader, skipped=runner.iter)
        if self._validation_is_due(runner):
            runner.logger.info(f"making up for the validation at iteration {runner.iter}")
            runner.val_loop.run()

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Seed this process's generators for the iteration."""
        if self.reseed:
            seed_everything(mix(runner.seed, 2, runner.iter, get_rank()))

    @staticmethod
    def _validation_is_due(runner: Any) -> bool:
        loop, done = runner.train_loop, runner.iter
        if runner.val_loop is None or done < max(1, loop.val_begin):
            return False
        # The loop itself would only decide after the next iteration.
        loop._decide_current_val_interval()
        due = done % loop.val_interval == 0 or done >= loop.max_iters
        return due and runner.message_hub.get_info("fzmm_validated_iter") != done


class PositionedIterator:
    """MMEngine's endless iterator over a loader whose sampler stands at the right batch already.

    Args:
        loader: The training data; its batch sampler never ends.
        skipped: Batches that the loop will ask to skip, or, in MMEngine before 0.10.12, draw and
            drop; nothing is loaded for them.
    """

    def __init__(self, loader: DataLoader, skipped: int = 0) -> None:
        self._dataloader = loader
        self._iterator: Any = None
        self._skipped = skipped

    def __iter__(self) -> PositionedIterator:
        return self

    def skip_iter(self, num_iters: int) -> None:
        """Count ``num_iters`` batches as skipped; MMEngine 0.10.12 calls it once on resuming."""
        self._skipped -= num_iters

    def __next__(self) -> Any:
        if self._skipped > 0:
            self._skipped -= 1
            return None
        if self._iterator is None:
            self._iterator = iter(self._dataloader)
        try:
            return next(self._iterator)
        except UserError as error:
            # torch adds the worker's traceback to the message; the user needs its last line.
            line = str(error).strip().splitlines()[-1]
            raise UserError(line.rpartition("fzmm.errors.UserError: ")[2]) from error


def _resumable(loader: DataLoader) -> ResumableAspectRatioBatchSampler | None:
    sampler = getattr(loader, "batch_sampler", None)
    return sampler if isinstance(sampler, ResumableAspectRatioBatchSampler) else None
