"""Keep the best checkpoint's detections on the validation images."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import CheckpointHook, Hook
from mmengine.registry import HOOKS

from fzmm.engine.hooks.provenance_hook import ProvenanceHook
from fzmm.engine.keep_predictions import category_ids, keep_predictions, words
from fzmm.evaluation.kept_predictions import KeptPredictions


@HOOKS.register_module()
class PredictionsHook(Hook):
    """Write ``predictions.json.gz``: the detections behind the best mAP, as COCO results.

    They are taken from the evaluation that made a checkpoint the best, so no image is detected
    twice, and a run that is killed has them as well. Where no best checkpoint is kept, they are of
    the latest evaluation. At most 100 detections an image and 20 MB; scores below 0.05 are left out
    where it would be more. The record in ``provenance.json`` names the checkpoint.

    Each new best costs the writing: about 7 s for 5,000 images with 100 detections each.
    """

    priority = 96  # after the checkpoint hook, whose file is then there

    def before_train(self, runner: Any) -> None:
        """Take part in the evaluations."""
        self._metric: KeptPredictions | None = None
        if runner.val_loop is None:
            return
        if category_ids(runner.val_dataloader.dataset) is None:
            runner.logger.warning("no predictions are kept: the validation is not on COCO data")
            return
        self._metric = KeptPredictions()
        runner.val_loop.evaluator.metrics.append(self._metric)
        self._provenance = _first(runner, ProvenanceHook)
        self._saver = _first(runner, CheckpointHook)

    def after_val_epoch(self, runner: Any, metrics: Any = None) -> None:
        """Write them, if this evaluation's checkpoint is the best."""
        if getattr(self, "_metric", None) is None or runner.rank != 0:
            return
        best = runner.message_hub.get_info("best_ckpt")
        done = runner.epoch if getattr(self._saver, "by_epoch", False) else runner.iter
        if best is not None and not best.endswith(f"_{done}.pth"):
            return
        record = self._provenance.record if self._provenance else {}
        entry = keep_predictions(
            runner.work_dir,
            self._metric,
            runner.val_dataloader.dataset,
            best or getattr(self._saver, "last_ckpt", None),
            record.get("val"),
        )
        if self._provenance:
            self._provenance.note(runner, predictions=entry)
        runner.logger.info(words(entry))


def _first(runner: Any, kind: type) -> Any:
    return next((hook for hook in runner.hooks if isinstance(hook, kind)), None)
