"""Evaluating a checkpoint on a config's test set."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner

from fzmm.engine.keep_predictions import category_ids, keep_predictions, words
from fzmm.engine.runner.check_inputs import check_inputs
from fzmm.engine.runner.checkpoints import install_safe_loading
from fzmm.engine.runner.describe_run import describe_data
from fzmm.engine.runner.train_detector import build_runner
from fzmm.errors import UserError
from fzmm.evaluation.kept_predictions import KeptPredictions
from fzmm.provenance import update_provenance
from fzmm.utils.checkpoint_file import require_checkpoint


def evaluate_detector(
    cfg: Config,
    checkpoint: str,
    out: str | None = None,
    tta: bool = False,
    trust_checkpoint: bool = False,
    save_predictions: bool = False,
) -> dict:
    """Evaluate a checkpoint on the config's test set.

    Args:
        cfg: From :func:`fzmm.engine.runner.prepare.load_config`.
        checkpoint: File or URL to evaluate.
        out: File (``.pkl``) to which the predictions are dumped.
        tta: Average the predictions over the image and its mirror image.
        trust_checkpoint: Load a checkpoint that holds more than data, which can run code.
        save_predictions: Evaluate on the validation set, and write the detections to
            ``predictions.json.gz`` beside the checkpoint, as a training does with its best.

    Returns:
        The metrics, such as ``{"coco/bbox_mAP": 0.37, ...}``.

    Raises:
        UserError: If the checkpoint or the data does not exist, ``out`` is no pickle file, or the
            predictions to save are not of COCO data.
    """
    require_checkpoint(checkpoint)
    if out is not None and not out.endswith((".pkl", ".pickle")):
        raise UserError(f"--out {out}: predictions are dumped as a pickle; name it *.pkl")
    if save_predictions:
        _check_savable(cfg, checkpoint)
        for part in ("dataloader", "evaluator"):
            cfg[f"test_{part}"] = cfg[f"val_{part}"]
    check_inputs(cfg, ["test"])

    install_safe_loading(trust_checkpoint)
    cfg.load_from = checkpoint
    if tta:
        _use_test_time_augmentation(cfg)
    runner = build_runner(cfg)
    if out is not None:
        from mmdet.evaluation import DumpDetResults

        runner.test_evaluator.metrics.append(DumpDetResults(out_file_path=out))

    kept = KeptPredictions()
    if save_predictions:
        runner.test_evaluator.metrics.append(kept)
    metrics = runner.test()
    if save_predictions and runner.rank == 0:
        _save(kept, runner, checkpoint)
    return metrics


def _check_savable(cfg: Config, checkpoint: str) -> None:
    if "://" in checkpoint:
        raise UserError(f"--save-predictions: {checkpoint} is no file; they are saved beside it")
    if not cfg.get("val_dataloader") or not cfg.get("val_evaluator"):
        raise UserError(f"--save-predictions: {cfg.filename} has no validation set")


def _save(kept: KeptPredictions, runner: Runner, checkpoint: str) -> None:
    dataset, folder = runner.test_dataloader.dataset, Path(checkpoint).parent
    if category_ids(dataset) is None:
        raise UserError("--save-predictions: the validation set is not COCO data")
    val = describe_data(runner.cfg.val_dataloader)
    entry = keep_predictions(str(folder), kept, dataset, checkpoint, val)
    update_provenance(folder, predictions=entry)
    runner.logger.info(f"{folder}: {words(entry)}")


def _use_test_time_augmentation(cfg: Config) -> None:
    """Wrap the model as MMDetection's ``--tta`` does, with its defaults where ``cfg`` has none."""
    nms = dict(type="nms", iou_threshold=0.5)
    wrapper = cfg.get("tta_model") or dict(
        type="DetTTAModel", tta_cfg=dict(nms=nms, max_per_img=100)
    )
    if "tta_pipeline" not in cfg:
        keys = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "flip")
        pack = dict(type="PackDetInputs", meta_keys=(*keys, "flip_direction"))
        flips = [dict(type="RandomFlip", prob=1.0), dict(type="RandomFlip", prob=0.0)]
        pipeline = list(cfg.test_dataloader.dataset.pipeline[:-1])
        cfg.tta_pipeline = [*pipeline, dict(type="TestTimeAug", transforms=[flips, [pack]])]
    cfg.model = dict(**wrapper, module=cfg.model)
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
