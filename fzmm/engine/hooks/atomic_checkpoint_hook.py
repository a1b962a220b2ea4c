"""Checkpoints of which a killed program or a full disk never leaves a half-written one."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS

from fzmm import predictions, provenance
from fzmm.errors import UserError
from fzmm.utils.files import atomic_write

_RECORDS = (provenance.FILE_NAME, predictions.FILE_NAME)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, safe against ``kill -9`` and a full disk.

    A checkpoint is written under a temporary name, flushed to the disk and renamed, then
    ``last_checkpoint`` is replaced, and only then are outdated checkpoints removed. (MMEngine
    removes first, then writes in place.) After each validation the checkpoint of that iteration is
    written anew, so that schedulers and rules that look at the metric resume exactly.

    It takes the arguments of ``CheckpointHook``; checkpoints go to a local directory.
    """

    def before_train(self, runner: Any) -> None:
        """Remove what an earlier process was writing when it was killed."""
        super().before_train(runner)
        if is_main_process():
            records = (f".{name}.*.tmp" for name in ("last_checkpoint", *_RECORDS))
            for pattern in (".*.pth.tmp", *records):
                for path in Path(self.out_dir).glob(pattern):
                    path.unlink(missing_ok=True)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float]) -> None:
        """Save the best checkpoint, and the state that the validation has changed."""
        runner.message_hub.update_info("fzmm_validated_iter", runner.iter)
        backend, self.file_backend = self.file_backend, _LateRemoval(self.file_backend)
        self._saved_step = None
        try:
            super().after_val_epoch(runner, metrics)
            if not self.by_epoch and self._saved_step != runner.iter:
                meta = {"epoch": runner.epoch, "iter": runner.iter}
                self._save_checkpoint_with_step(runner, runner.iter, meta)
        finally:
            late, self.file_backend = self.file_backend, backend
        for path in late.outdated - {getattr(self, "best_ckpt_path", None)}:
            backend.remove(path)

    def _save_best_checkpoint(self, runner: Any, metrics: dict[str, float]) -> None:
        super()._save_best_checkpoint(_AtomicRunner(runner), metrics)

    def _save_checkpoint_with_step(self, runner: Any, step: int, meta: dict[str, Any]) -> None:
        outdated: list[int] = []
        if self.max_keep_ckpts > 0:
            steps = [*(kept for kept in self.keep_ckpt_ids if kept != step), step]
            outdated, steps = steps[: -self.max_keep_ckpts], steps[-self.max_keep_ckpts :]
            self.keep_ckpt_ids = deque(steps, self.max_keep_ckpts)
            runner.message_hub.update_info("keep_ckpt_ids", steps)

        filename = self.filename_tmpl.format(step)
        self.last_ckpt = os.path.join(self.out_dir, filename)
        runner.message_hub.update_info("last_ckpt", self.last_ckpt)
        _AtomicRunner(runner).save_checkpoint(
            self.out_dir,
            filename,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )

        self._saved_step = step
        if is_main_process():
            with atomic_write(os.path.join(runner.work_dir, "last_checkpoint")) as file:
                file.write(self.last_ckpt)
            for old in outdated:
                Path(self.out_dir, self.filename_tmpl.format(old)).unlink(missing_ok=True)

    def save_now(self, runner: Any, iteration: int) -> None:
        """Save a checkpoint after ``iteration`` finished iterations, unless that is done.

        Args:
            runner: The runner of the training.
            iteration: Finished iterations that the state of the run belongs to.
        """
        path = os.path.join(self.out_dir, self.filename_tmpl.format(iteration))
        if self.last_ckpt != path:
            meta = {"epoch": runner.epoch, "iter": iteration}
            self._save_checkpoint_with_step(runner, iteration, meta)


class _AtomicRunner:
    """The runner, except that it saves checkpoints under a temporary name first."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        path, temporary = Path(out_dir, filename), Path(out_dir, f".{filename}.tmp")
        kwargs.pop("file_client_args", None)
        try:
            self._runner.save_checkpoint(str(out_dir), temporary.name, *args, **kwargs)
            if is_main_process():
                for name in (temporary, temporary.parent):
                    descriptor = os.open(name, os.O_RDONLY)
                    os.fsync(descriptor)
                    os.close(descriptor)
                    if name is temporary:
                        os.replace(temporary, path)
        except OSError as error:
            size = temporary.stat().st_size / 2**20 if temporary.exists() else 0
            temporary.unlink(missing_ok=True)
            raise UserError(
                f"checkpoint {path} cannot be written ({error.strerror or error}, after {size:.0f} "
                "MB): make room and continue with --resume; earlier checkpoints are intact"
            ) from error


class _LateRemoval:
    """A file backend that notes what is to be removed, for after the new file is safe."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.outdated: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self.outdated.add(str(path))
