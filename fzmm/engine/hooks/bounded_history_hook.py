"""Keep MMEngine's log buffers from growing with the training."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from fzmm.engine.arguments import check_number


@HOOKS.register_module()
class BoundedHistoryHook(Hook):
    """Limit the running values behind the log to the last ``length`` iterations.

    MMEngine keeps up to a million values of each, copies them all at each update and writes them to
    each checkpoint: at iteration 300,000 that is some 50 MB of copying a step and a checkpoint.
    What is logged is a mean over ``log_processor.window_size`` values, 50 in MMDetection. Buffers
    that a custom log window reads as a whole (``window_size="global"``) are left alone.

    Args:
        length: Values to keep, at least the window of the log.
        interval: Iterations between looks for new buffers.
    """

    def __init__(self, length: int = 5_000, interval: int = 100) -> None:
        check_number(self, "length", length, at_least=1, whole=True)
        check_number(self, "interval", interval, at_least=1, whole=True)
        self.length = length
        self.interval = interval

    def before_train(self, runner: Any) -> None:
        """Limit what a checkpoint has brought."""
        windows = runner.log_processor.custom_cfg
        self._whole = {w["data_src"] for w in windows if w.get("window_size") == "global"}
        self.length = max(self.length, runner.log_processor.window_size)
        self._limit(runner)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Limit the buffers that are new."""
        if batch_idx % self.interval == 0:
            self._limit(runner)

    def _limit(self, runner: Any) -> None:
        for name, buffer in runner.message_hub.log_scalars.items():
            if buffer.max_length > self.length and name.partition("/")[2] not in self._whole:
                buffer.max_length = self.length
                buffer._log_history = buffer._log_history[-self.length :].copy()
                buffer._count_history = buffer._count_history[-self.length :].copy()
