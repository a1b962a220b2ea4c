"""End a training whose learning rate has been decayed as often as it may, and rests."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from fzmm.engine.schedulers.best_metric_plateau_lr import BestMetricPlateauLR
from fzmm.engine.stopping import stay_stopped, stop_training
from fzmm.errors import UserError


@HOOKS.register_module()
class PlateauStopHook(Hook):
    """Stop when a ``BestMetricPlateauLR`` has finished."""

    priority = 80  # after the schedulers have seen the metric, before the checkpoint is saved

    def before_train(self, runner: Any) -> None:
        """Find the scheduler.

        Raises:
            UserError: If the config has none.
        """
        schedulers = runner.param_schedulers or []
        self._watched = [each for each in schedulers if isinstance(each, BestMetricPlateauLR)]
        if not self._watched:
            raise UserError("PlateauStopHook needs a BestMetricPlateauLR in param_scheduler")
        stay_stopped(runner)

    def after_val_epoch(self, runner: Any, metrics: Any = None) -> None:
        """Look whether it has finished."""
        for scheduler in getattr(self, "_watched", []):
            if scheduler.finished:
                stop_training(
                    runner,
                    f"{scheduler.monitor} rose by no more than {scheduler.threshold:.0%} over "
                    f"{scheduler.window} evaluations, after {scheduler.decays} decays "
                    f"(iteration {runner.iter})",
                )
