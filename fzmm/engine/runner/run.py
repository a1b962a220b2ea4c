"""Between a config and a training: options applied, inputs checked, endings told apart."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from fzmm.engine.runner.checkpoints import find_resume_checkpoint, install_safe_loading
from fzmm.engine.runner.inputs import check_inputs
from fzmm.engine.runner.provenance import update_provenance
from fzmm.errors import UserError
from fzmm.exit_codes import PREEMPTED_EXIT_CODE, note_exit_code
from fzmm.files import is_full
from fzmm.schedules import apply_budget, scale_schedule

_MMENGINE_HOOKS = (
    "runtime_info",
    "timer",
    "sampler_seed",
    "logger",
    "param_scheduler",
    "checkpoint",
)


def prepare(
    cfg: Config,
    resume: str | None = None,
    trust_checkpoint: bool = False,
    scale: bool = False,
    budget: float | None = None,
) -> None:
    """Make ``cfg`` ready for MMEngine's runner; changes it in place.

    Args:
        cfg: The run's config, ``work_dir`` and ``launcher`` set. Hooks that are None in its
            ``default_hooks`` are left out.
        resume: ``"auto"`` for the newest readable checkpoint of the work directory (a run without
            one starts from the beginning), or the path of a checkpoint.
        trust_checkpoint: Allow full unpickling of checkpoints.
        scale: Fit the schedule to the total batch (``--scale-schedule``).
        budget: Share of the schedule to run, in (0, 1].

    Raises:
        UserError: If an option does not fit the config or an input is missing or wrong.
    """
    install_safe_loading(trust_checkpoint)
    for name, hook in list((cfg.get("default_hooks") or {}).items()):
        if hook is None and name not in _MMENGINE_HOOKS:  # which None switches off in MMEngine
            del cfg.default_hooks[name]
    if scale:
        base = (cfg.get("auto_scale_lr") or {}).get("base_batch_size")
        if not base:
            raise UserError(
                f"{cfg.filename}: --scale-schedule needs auto_scale_lr.base_batch_size, the total "
                "batch that the config's schedule is made for"
            )
        scale_schedule(cfg, total_batch_size(cfg) / base)
    if budget is not None:
        apply_budget(cfg, budget)
    if resume is not None:
        cfg.resume = True
        cfg.load_from = (
            find_resume_checkpoint(cfg.work_dir, trust_checkpoint) if resume == "auto" else resume
        )
        if cfg.load_from is None:
            cfg.resume = False
    check_inputs(cfg)


def total_batch_size(cfg: Config) -> int:
    """Return the images of one optimiser step over all processes of this training.

    The number of processes is the launcher's ``WORLD_SIZE``, or Slurm's ``SLURM_NTASKS``.
    """
    processes = 1
    if cfg.get("launcher", "none") != "none":
        tasks = os.environ.get("SLURM_NTASKS") or os.environ.get("OMPI_COMM_WORLD_SIZE") or "1"
        processes = int(os.environ.get("WORLD_SIZE", tasks))
    steps = cfg.optim_wrapper.get("accumulative_counts", 1)
    return cfg.train_dataloader.batch_size * processes * steps


@contextlib.contextmanager
def ends_when_told() -> Iterator[None]:
    """Exit with ``PREEMPTED_EXIT_CODE`` on a SIGTERM before training has begun.

    There is nothing to save then; once it has begun, ``PreemptionHook`` listens.
    """

    def leave(number: int, frame: Any) -> None:
        note_exit_code(PREEMPTED_EXIT_CODE)
        raise SystemExit(PREEMPTED_EXIT_CODE)

    try:
        previous = signal.signal(signal.SIGTERM, leave)
    except ValueError:  # not the main thread: whoever has that listens
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def run(runner: Any) -> None:
    """Train; a mistake that only shows while training ends it with one line, noted in its record.

    Args:
        runner: MMEngine's runner of a prepared config.

    Raises:
        UserError: If an image of the validation is missing, the disk is full, or a hook says so.
        SystemExit: With ``PREEMPTED_EXIT_CODE``, after a signal and a saved checkpoint.
    """
    try:
        runner.train()
    except UserError as error:
        _note(runner, str(error))
        raise
    except OSError as error:
        message = _explain(error, runner.work_dir)
        if message is None:
            raise
        _note(runner, message)
        raise UserError(message) from error


def _note(runner: Any, reason: str) -> None:
    """Write the reason into the run's record, once there is one of this start, disk permitting."""
    recording = any(getattr(hook, "recording", False) for hook in runner.hooks)
    if runner.rank == 0 and recording:
        with contextlib.suppress(OSError):
            update_provenance(runner.work_dir, stop_reason=reason)


def _explain(error: OSError, work_dir: str) -> str | None:
    if is_full(error):
        return (
            f"{work_dir} cannot be written ({error.strerror}): make room and continue with "
            "--resume; checkpoints are intact"
        )
    if isinstance(error, FileNotFoundError):
        # From a worker of the validation: torch has put its traceback into the message.
        line = str(error).strip().splitlines()[-1].rpartition("FileNotFoundError: ")[2]
        return f"{line}: put the file back and continue with --resume"
    return None
