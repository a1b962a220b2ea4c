"""End a training that has come to do nothing but overfit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from fzmm.engine.arguments import check_number
from fzmm.engine.hooks.evaluation.train_split_metric_hook import TrainSplitMetricHook
from fzmm.engine.stopping import stay_stopped, stop_training
from fzmm.errors import UserError

_KEY = "overfit_stop"
PATIENCE, MARGIN = 5, 0.005


def only_overfits(
    best: float, seen: Sequence[tuple[float, float]], patience: int, margin: float
) -> bool:
    """Whether a training's last evaluations show nothing but over-fitting.

    Args:
        best: Highest validation mAP so far.
        seen: Validation and training-split mAP of each evaluation since the first decay.
        patience: How many of the last evaluations must lie below the best.
        margin: How far below, in mAP.
    """
    recent = seen[-patience:]
    if len(recent) < patience or any(val > best - margin for val, _ in recent):
        return False
    return recent[-1][1] > recent[0][1]


@HOOKS.register_module()
class OverfitStopHook(Hook):
    """Stop when the validation mAP stays below its best while the training-split mAP rises.

    It looks only after the first decay of the learning rate: before it, the decay itself lifts the
    validation mAP again (thesis, finding 4). With ``patience`` evaluations in a row at least
    ``margin`` below the best, and a training-split mAP that has risen over them, the run ends. The
    log and ``provenance.json`` say why, the log also what share of the iterations that saved.

    The study leaves it out: its best-minus-last gap needs the whole run.

    Args:
        patience: Evaluations in a row, at least 2.
        margin: mAP below the best, from 0 to 1.
        metric: Name of both metrics after the prefixes ``coco/`` and ``train_split/``.
    """

    priority = "NORMAL"  # after TrainSplitMetricHook

    def __init__(
        self, patience: int = PATIENCE, margin: float = MARGIN, metric: str = "bbox_mAP"
    ) -> None:
        # One evaluation cannot show that the training-split mAP rises.
        check_number(self, "patience", patience, at_least=2, whole=True)
        check_number(self, "margin", margin, at_least=0)
        self.patience = patience
        self.margin = margin
        self.metric = metric

    def before_train(self, runner: Any) -> None:
        """Continue what a checkpoint has brought.

        Raises:
            UserError: If the config does not measure the training-split mAP.
        """
        if not any(isinstance(hook, TrainSplitMetricHook) for hook in runner.hooks):
            raise UserError("OverfitStopHook needs a TrainSplitMetricHook in custom_hooks")
        # "seen": (iteration, validation, training split) at each evaluation after the decay
        state = {"highest_lr": 0.0, "best": 0.0, "best_iter": 0, "seen": []}
        self._state = {**state, **(runner.message_hub.get_info(_KEY) or {})}
        stay_stopped(runner)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Note the highest learning rate, by which a decay is known."""
        self._state["highest_lr"] = max(self._state["highest_lr"], self._lr(runner))

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Look at one evaluation."""
        if not hasattr(self, "_state") or f"coco/{self.metric}" not in (metrics or {}):
            return
        state, value = self._state, float(metrics[f"coco/{self.metric}"])
        if value > state["best"]:
            state.update(best=value, best_iter=runner.iter)
        scalars = runner.message_hub.log_scalars
        name = f"val/train_split/{self.metric}"
        if name in scalars and self._lr(runner) < 0.99 * state["highest_lr"]:
            state["seen"].append((runner.iter, value, float(scalars[name].current())))
        runner.message_hub.update_info(_KEY, state)
        self._decide(runner)

    def _decide(self, runner: Any) -> None:
        best, seen = self._state["best"], self._state["seen"]
        if not only_overfits(best, [row[1:] for row in seen], self.patience, self.margin):
            return
        (_, _, train_before), (_, val, train_now) = seen[-self.patience], seen[-1]
        stop_training(
            runner,
            f"{self.metric} {val:.3f} on the validation set has been {self.margin:g} or more below "
            f"its best {best:.3f} (iteration {self._state['best_iter']}) for {self.patience} "
            f"evaluations, while on the training images it rose from {train_before:.3f} to "
            f"{train_now:.3f} (iteration {runner.iter})",
        )

    @staticmethod
    def _lr(runner: Any) -> float:
        """Return the rate of the last iteration: the largest, where groups differ."""
        scalars = runner.message_hub.log_scalars
        return max((v.current() for k, v in scalars.items() if k.endswith("/lr")), default=0.0)
