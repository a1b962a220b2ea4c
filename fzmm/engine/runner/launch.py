"""What tools/train.py and tools/test.py do: a config and its options in, a run out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from fzmm.engine.runner.checkpoints import install_safe_loading
from fzmm.engine.runner.distributed import prepare_cpu
from fzmm.engine.runner.fast import apply_fast
from fzmm.engine.runner.inputs import check_inputs
from fzmm.engine.runner.run import ends_when_told, prepare, run
from fzmm.errors import UserError
from fzmm.exit_codes import USER_ERROR, note_exit_code


def load_config(
    path: str,
    work_dir: str | None = None,
    launcher: str = "none",
    cfg_options: dict | None = None,
) -> Config:
    """Read a config as MMDetection's tools do, and fit it to the machine.

    Args:
        path: The config file.
        work_dir: Where logs and checkpoints go; by default the config's own, else
            ``work_dirs/<config name>``.
        launcher: ``"none"``, ``"pytorch"``, ``"slurm"`` or ``"mpi"``.
        cfg_options: Settings that replace the config's, such as ``{"train_cfg.max_iters": 10}``.

    Raises:
        UserError: If the config cannot be read.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such config file; configs/fz and configs/toy hold the study's")
    try:
        cfg = Config.fromfile(path)
    except Exception as error:  # whatever a config file, which is a program, can raise
        raise UserError(f"{path}: cannot be read: {type(error).__name__}: {error}") from error
    cfg.launcher = launcher
    if cfg_options:
        cfg.merge_from_dict(cfg_options)
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get("work_dir") is None:
        cfg.work_dir = os.path.join("work_dirs", Path(path).stem)
    prepare_cpu(cfg)
    return cfg


def build_runner(cfg: Config) -> Runner:
    """Return the runner that ``cfg`` asks for, MMEngine's own unless it names a type."""
    return RUNNERS.build(cfg) if "runner_type" in cfg else Runner.from_cfg(cfg)


def train(
    cfg: Config,
    amp: bool = False,
    auto_scale_lr: bool = False,
    resume: str | None = None,
    seed: int | None = None,
    scale_schedule: bool = False,
    budget: float | None = None,
    trust_checkpoint: bool = False,
    fast: bool = False,
) -> Runner:
    """Train.

    Args:
        cfg: From :func:`load_config`.
        amp: Automatic mixed precision, as MMDetection's ``--amp``.
        auto_scale_lr: Scale the learning rate from ``cfg.auto_scale_lr.base_batch_size``.
        resume: ``"auto"`` for the latest checkpoint in the work directory, or a checkpoint.
        seed: Replaces the config's seed.
        scale_schedule: Keep the number of images seen when the total batch is not the config's.
        budget: Share of the schedule to run, in (0, 1].
        trust_checkpoint: Load checkpoints that hold more than data, which can run code.
        fast: The fast recipe, see ``fzmm.engine.runner.fast``.

    Raises:
        UserError: If an option does not fit the config, or an input is missing or wrong.
    """
    if seed is not None:
        cfg.randomness = dict(cfg.get("randomness", {}), seed=seed)
    if fast and amp:
        raise UserError("--fast has mixed precision of its own: leave --amp out")
    if fast:
        apply_fast(cfg)
    if amp:
        cfg.optim_wrapper.type = "AmpOptimWrapper"
        cfg.optim_wrapper.loss_scale = "dynamic"
    if auto_scale_lr:
        if "base_batch_size" not in cfg.get("auto_scale_lr", {}):
            raise UserError(
                f"{cfg.filename}: --auto-scale-lr needs auto_scale_lr.base_batch_size in the config"
            )
        cfg.auto_scale_lr.enable = True
    try:
        with ends_when_told():
            prepare(cfg, resume, trust_checkpoint, scale_schedule, budget)
            runner = build_runner(cfg)
            run(runner)
    except UserError:
        note_exit_code(USER_ERROR)
        raise
    return runner


def test(
    cfg: Config,
    checkpoint: str,
    out: str | None = None,
    tta: bool = False,
    trust_checkpoint: bool = False,
) -> dict:
    """Evaluate a checkpoint on the config's test set.

    Args:
        cfg: From :func:`load_config`.
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


def option_parser(description: str, first: Sequence[str]):
    """Return an argument parser with the options that MMDetection's tools have in common.

    Args:
        description: Shown by ``--help``.
        first: The positional arguments, in order.
    """
    import argparse

    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(description=description)
    for name in first:
        parser.add_argument(name, help=f"{name} file")
    parser.add_argument("--work-dir", help="where logs, checkpoints and metrics are written")
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=DictAction,
        help="settings that replace the config's: key=value, a.b=value, key=[a,b]",
    )
    parser.add_argument(
        "--trust-checkpoint",
        action="store_true",
        help="load checkpoints that hold more than data; only from sources that you trust",
    )
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none")
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0)
    return parser


def parse(parser, arguments: Sequence[str] | None = None):
    """Parse, and export ``LOCAL_RANK`` for launchers that pass it as an argument."""
    args = parser.parse_args(arguments)
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    return args
