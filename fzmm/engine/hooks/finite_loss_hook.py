"""End a training whose loss is no number, before a checkpoint holds what came of it."""

from __future__ import annotations

import math
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from fzmm.engine.arguments import check_number
from fzmm.errors import UserError
from fzmm.provenance import LOSS_IS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop with one clear line when the loss is infinite or NaN.

    MMDetection's ``CheckInvalidLossHook`` looks every 50 iterations and asserts, so checkpoints of
    broken weights can come before it. This one looks at each iteration, before anything is saved.
    It costs nothing: MMEngine's ``RuntimeInfoHook`` has put the loss into its log already.

    Args:
        tolerance: Such losses in a row that are let pass. By default 0, or 10 where fp16's loss
            scaling skips steps that overflow.
    """

    priority = "HIGH"  # after RuntimeInfoHook, before checkpoints

    def __init__(self, tolerance: int | None = None) -> None:
        if tolerance is not None:
            check_number(self, "tolerance", tolerance, at_least=0, whole=True)
        self.tolerance = tolerance
        self._in_a_row = 0

    def before_train(self, runner: Any) -> None:
        """Set the tolerance for the optimiser's wrapper."""
        if self.tolerance is None:
            scaler = getattr(runner.optim_wrapper, "loss_scaler", None)
            self.tolerance = 10 if scaler is not None and scaler.is_enabled() else 0

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Check the iteration's loss.

        Raises:
            UserError: If it is not finite, and was not for ``tolerance`` iterations before.
        """
        scalars = runner.message_hub.log_scalars
        if "train/loss" not in scalars or math.isfinite(scalars["train/loss"].current()):
            self._in_a_row = 0
            return

        self._in_a_row += 1
        if self._in_a_row > self.tolerance:
            bad = [
                name.removeprefix("train/")
                for name, values in scalars.items()
                if name.startswith("train/loss_") and not math.isfinite(values.current())
            ]
            lr = scalars["train/lr"].current() if "train/lr" in scalars else math.nan
            raise UserError(
                f"{LOSS_IS} {scalars['train/loss'].current()} at iteration {runner.iter + 1}"
                f"{' (' + ', '.join(bad) + ')' if bad else ''}, learning rate {lr:.3g}: lower the "
                f"rate or check the annotations; checkpoints in {runner.work_dir} are from before"
            )
