"""Learning rate by the progress of the validation mAP, for training from scratch."""

from __future__ import annotations

from typing import Any

from mmengine.optim.scheduler import ReduceOnPlateauLR
from mmengine.registry import PARAM_SCHEDULERS

from fzmm.engine.arguments import check_number


@PARAM_SCHEDULERS.register_module()
class BestMetricPlateauLR(ReduceOnPlateauLR):
    """Multiply the learning rate by ``factor`` when the best metric has nearly stopped rising.

    The thesis (section 5.6): 0.1 when the best mAP has not risen by more than 3% (relative) over 5
    epochs. A plateau is ``best now <= (1 + threshold) * best of window evaluations ago``, counted
    anew after each decay. MMEngine's ``ReduceOnPlateauLR`` compares with the last value that was an
    improvement, so five epochs that each gain 2.9% would be a plateau to it; its patience is not a
    window. After ``max_decays`` decays the next plateau ends the training, if the config has a
    :class:`~fzmm.engine.hooks.PlateauStopHook`.

    Everything it knows is in its state, so that a resumed training goes on exactly.

    Args:
        optimizer: The optimiser or its wrapper.
        monitor: The validation's metric. Greater is better.
        threshold: Relative rise of the best value that is progress enough.
        window: Evaluations over which it must rise.
        factor: Of the learning rate, at a plateau.
        max_decays: Plateaus that decay; the one after them finishes.
        **kwargs: As in ``ReduceOnPlateauLR``.
    """

    def __init__(
        self,
        optimizer: Any,
        monitor: str = "coco/bbox_mAP",
        threshold: float = 0.03,
        window: int = 5,
        factor: float = 0.1,
        max_decays: int = 2,
        **kwargs: Any,
    ) -> None:
        check_number(self, "threshold", threshold, at_least=0)
        check_number(self, "window", window, at_least=1, whole=True)
        check_number(self, "factor", factor, above=0, below=1)
        check_number(self, "max_decays", max_decays, at_least=0, whole=True)
        super().__init__(
            optimizer,
            monitor=monitor,
            rule="greater",
            factor=factor,
            patience=window,
            threshold=threshold,
            **kwargs,
        )

        self.window = window
        self.max_decays = max_decays
        self.decays = 0
        self.plateaus = 0
        self.history: list[float] = []  # the best value at each evaluation since the last decay

    def step(self, metrics: dict[str, float] | None = None) -> None:
        """Look at one evaluation; without metrics, only count a step.

        Args:
            metrics: The validation's, with ``monitor`` among them.

        Raises:
            KeyError: If ``monitor`` is not.
        """
        if metrics is None:
            self._global_step += 1
            return
        if self.monitor not in metrics:
            raise KeyError(f"{self.monitor} is not among the metrics {sorted(metrics)}")
        self.last_step += 1
        value = max(0.0, float(metrics[self.monitor]))  # COCO's -1: nothing to find
        self.history.append(max([value, *self.history[-1:]]))

        if len(self.history) <= self.window:
            return
        if self.history[-1] > (1 + self.threshold) * self.history[-1 - self.window]:
            return
        self.plateaus += 1
        self.history = self.history[-1:]
        if self.decays < self.max_decays:
            self.decays += 1
            for group in self.optimizer.param_groups:
                group[self.param_name] *= self.factor

    @property
    def finished(self) -> bool:
        """Whether a plateau has come after the last decay."""
        return self.plateaus > self.max_decays
