"""Save a checkpoint and leave when the machine is about to be taken away."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import multiprocessing.util
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from fzmm.engine.hooks.atomic_checkpoint_hook import AtomicCheckpointHook
from fzmm.errors import UserError
from fzmm.exit_codes import PREEMPTED_EXIT_CODE
from fzmm.provenance import update_provenance


@HOOKS.register_module()
class PreemptionHook(Hook):
    """On SIGTERM, save a checkpoint at the end of the iteration and exit with code 75.

    Clusters send SIGTERM some time before they kill. All processes of a distributed training stop
    at the same iteration, whichever of them got the signal; they agree after each iteration by
    adding up one number over gloo on the CPU, which neither waits for the GPU nor adds to its work.
    During a validation, which can take longer than the time that is left, the checkpoint of its
    iteration is kept and the validation is made up for on resuming.

    A signal to the whole process group also reaches the data workers; they go on until the training
    has ended. The exit code is ``fzmm.exit_codes.PREEMPTED_EXIT_CODE``.

    Args:
        signals: Names of the signals to heed.
    """

    priority = 95  # after the checkpoint hook

    def __init__(self, signals: tuple[str, ...] | list[str] = ("SIGTERM",)) -> None:
        unknown = [name for name in signals if name not in signal.Signals.__members__]
        if unknown:
            raise UserError(f"PreemptionHook: there is no signal {unknown[0]!r}; SIGTERM is one")
        self.signals = [signal.Signals[name] for name in signals]
        self.received: int | None = None
        self._previous: dict[int, Any] = {}
        self._group: Any = None

    def before_train(self, runner: Any) -> None:
        """Start to listen."""
        savers = [hook for hook in runner.hooks if isinstance(hook, AtomicCheckpointHook)]
        if not savers:
            raise UserError(
                "PreemptionHook needs default_hooks.checkpoint to be an AtomicCheckpointHook"
            )

        self._saver = savers[0]
        if get_world_size() > 1 and torch.distributed.get_backend() != "gloo":
            self._group = torch.distributed.new_group(backend="gloo")
        for number in self.signals:
            with contextlib.suppress(ValueError):  # not the main thread: someone else listens
                self._previous[number] = signal.signal(number, self._note)

        loaders = [runner.train_dataloader]
        if runner.val_loop is not None:
            loaders.append(runner.val_dataloader)

        for loader in loaders:
            loader.worker_init_fn = functools.partial(
                _start_worker, loader.worker_init_fn, self.signals, _ending()
            )

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Save and exit if any process was told to."""
        if self._agreed():
            self._leave(runner, runner.iter + 1)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Leave a validation within a training."""
        if self._previous and self._agreed():
            self._leave(runner, runner.iter)

    def after_train(self, runner: Any) -> None:
        """Put back what was done on the signals before."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _note(self, number: int, frame: Any) -> None:
        self.received = number

    def _agreed(self) -> bool:
        if get_world_size() == 1:
            return self.received is not None
        told = torch.tensor([self.received is not None], dtype=torch.int32)
        torch.distributed.all_reduce(told, group=self._group)
        return bool(told.item())

    def _leave(self, runner: Any, iteration: int) -> None:
        self._saver.save_now(runner, iteration)
        name = signal.Signals(self.received).name if self.received else "a signal elsewhere"
        reason = f"stopped by {name} after iteration {iteration}; continue with --resume"
        runner.logger.info(reason)
        if runner.rank == 0:
            update_provenance(runner.work_dir, stop_reason=reason)
        runner.visualizer.close()
        self.after_train(runner)
        raise SystemExit(PREEMPTED_EXIT_CODE)


@functools.cache
def _ending() -> Any:
    """Return a number that data workers see change to 1 when this process ends."""
    ending = multiprocessing.Value("b", 0, lock=False)
    # run before multiprocessing ends its children, in the main program and in a forked one
    multiprocessing.util.Finalize(None, setattr, (ending, "value", 1), exitpriority=100)
    return ending


def _start_worker(
    original: Callable[[int], None] | None, signals: list[int], ending: Any, worker_id: int
) -> None:
    """Start a data worker that outlives a signal to the process group until its parent ends."""
    parent, warned = os.getppid(), threading.Event()

    def note(number: int, frame: Any) -> None:
        if warned.is_set():
            os._exit(0)
        warned.set()
        threading.Thread(target=wait_for_parent, daemon=True).start()

    def wait_for_parent() -> None:
        while os.getppid() == parent and not ending.value:
            time.sleep(0.1)
        os._exit(0)  # torch reports any other code as a crash

    for number in signals:
        signal.signal(number, note)
    if original is not None:
        original(worker_id)
