"""Training time as the thesis counts it."""

from __future__ import annotations

import time
from typing import Any

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook, LoggerHook
from mmengine.logging import HistoryBuffer
from mmengine.registry import HOOKS

from fzmm.engine.arguments import check_number


@HOOKS.register_module()
class TrainingTimeHook(Hook):
    """Log the cumulative seconds of the training steps alone as ``train_time``.

    A step is the forward and backward pass and the optimiser's update; loading data and models,
    validation, logging and checkpoints are not in it (thesis, section 4.4). The sum is in each row
    of the log, continues over resumes and is written to checkpoints.

    On a GPU the steps are timed by CUDA events on its own stream and read, with the one
    synchronisation that this needs, only where a row or a checkpoint is written. With several
    processes the time is the first one's; they wait for each other in every step.

    On a CPU ``train_cpu_time`` stands beside it: the seconds that processor cores worked for the
    steps, summed over threads. What else runs on the machine lengthens it far less.

    The peak of allocated GPU memory is logged once at the end; ``provenance.json`` has it, too.

    Args:
        interval: Iterations between readings; by default the logger's interval.
    """

    priority = "HIGHEST"  # first in after_train_iter: what other hooks do is not training

    def __init__(self, interval: int | None = None) -> None:
        if interval is not None:
            check_number(self, "interval", interval, at_least=1, whole=True)
        self.interval = interval
        self.total = 0.0
        self.cpu_total = 0.0
        self._events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []
        self._unread = 0

    def before_train(self, runner: Any) -> None:
        """Continue the sum of a resumed run."""
        self.total = runner.message_hub.get_info("train_time", 0.0)
        self.cpu_total = runner.message_hub.get_info("train_cpu_time", 0.0)
        self._on_gpu = next(runner.model.parameters()).is_cuda
        if self.interval is None:
            loggers = [hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)]
            self.interval = loggers[0] if loggers else 50

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Start the clock."""
        if self._on_gpu:
            if self._unread == len(self._events):
                pair = (torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True))
                self._events.append(pair)
            self._events[self._unread][0].record()
        else:
            self._started = time.perf_counter()
            self._cpu_started = time.process_time()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Stop the clock, and read it where the logger will write a row."""
        if self._on_gpu:
            self._events[self._unread][1].record()
            self._unread += 1
        else:
            self.total += time.perf_counter() - self._started
            self.cpu_total += time.process_time() - self._cpu_started
        if (batch_idx + 1) % self.interval == 0 or runner.iter + 1 == runner.max_iters:
            self._log(runner, "train")

    def after_val_epoch(self, runner: Any, metrics: Any = None) -> None:
        """Put the time into the validation's row."""
        if hasattr(self, "_on_gpu"):  # not in a run that only validates
            self._log(runner, "val")

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Write the time up to this iteration into the checkpoint."""
        if hasattr(self, "_on_gpu"):
            self._read(runner)
            for name, seconds in self._totals().items():
                checkpoint["message_hub"]["runtime_info"][name] = seconds
                checkpoint["message_hub"]["resumed_keys"][name] = True

    def after_train(self, runner: Any) -> None:
        """Log what the training took."""
        self._read(runner)
        memory = ""
        if self._on_gpu:
            peak = torch.cuda.max_memory_allocated() / 2**20
            memory = f"; at most {peak:,.0f} MB of GPU memory allocated (rank {get_rank()})"
        runner.logger.info(f"training time: {self.total:,.1f} s in training steps{memory}")

    def _read(self, runner: Any) -> None:
        if self._unread:
            self._events[self._unread - 1][1].synchronize()
            pairs = self._events[: self._unread]
            self.total += sum(start.elapsed_time(end) for start, end in pairs) / 1000
            self._unread = 0
        for name, seconds in self._totals().items():
            runner.message_hub.update_info(name, seconds)

    def _totals(self) -> dict[str, float]:
        if self._on_gpu:
            return {"train_time": self.total}
        return {"train_time": self.total, "train_cpu_time": self.cpu_total}

    def _log(self, runner: Any, mode: str) -> None:
        self._read(runner)
        # MMEngine logs the mean of everything called "time"; a buffer of one value has itself.
        for name, seconds in self._totals().items():
            buffer = HistoryBuffer([seconds], [1], max_length=1)
            runner.message_hub.log_scalars[f"{mode}/{name}"] = buffer
