"""Evaluating a checkpoint on a config's test set."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from fzmm.engine.runner.check_inputs import check_inputs
from fzmm.engine.runner.checkpoints import install_safe_loading
from fzmm.engine.runner.train_detector import build_runner
from fzmm.errors import UserError


def evaluate_detector(
    cfg: Config,
    checkpoint: str,
    out: str | None = None,
    tta: bool = False,
    trust_checkpoint: bool = False,
) -> dict:
    """Evaluate a checkpoint on the config's test set.

    Args:
        cfg: From :func:`fzmm.engine.runner.prepare.load_config`.
        checkpoint: File or URL to evaluate.
        out: File (``.pkl``) to which the predictions are dumped.
        tta: Average the predictions over the image and its mirror image.
        trust_checkpoint: Load a checkpoint that holds more than data, which can run code.

    Returns:
        The metrics, such as ``{"coco/bbox_mAP": 0.37, ...}``.

    Raises:
        UserError: If the checkpoint or the data does not exist, or ``out`` is no pickle file.
    """
    if "://" not in checkpoint and not Path(checkpoint).is_file():
        raise UserError(f"{checkpoint}: no such checkpoint; a run keeps best_*.pth in its work_dir")
    if out is not None and not out.endswith((".pkl", ".pickle")):
        raise UserError(f"--out {out}: predictions are dumped as a pickle; name it *.pkl")
    check_inputs(cfg, ["test"])

    install_safe_loading(trust_checkpoint)
    cfg.load_from = checkpoint
    if tta:
        _use_test_time_augmentation(cfg)
    runner = build_runner(cfg)
    if out is not None:
        from mmdet.evaluation import DumpDetResults

        runner.test_evaluator.metrics.append(DumpDetResults(out_file_path=out))

    return runner.test()


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
