"""Keep the record of a run in its work directory."""

from __future__ import annotations

import contextlib
from typing import Any

from mmengine.dist import all_gather_object, broadcast_object_list
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import BaseLoop
from torch import nn

from fzmm.detector_config.freezing import frozen_modules
from fzmm.engine.hooks.freeze_hook import as_released
from fzmm.engine.loaded_detector import describe_loaded, refuse_unloaded
from fzmm.engine.peak_memory import forget_peak, peak_memory_mb
from fzmm.engine.runner.describe_run import describe_run, describe_session, devices
from fzmm.engine.same_run import refuse_other_run
from fzmm.errors import UserError
from fzmm.provenance import read_provenance, write_provenance
from fzmm.run_lock import training_in

_KEY = "fzmm_run"
_KEPT = ("predictions", "loaded")  # of an earlier start


@HOOKS.register_module()
class ProvenanceHook(Hook):
    """Write ``provenance.json``: config, data, seed, versions, devices, command, one line a start.

    What is released later counts as trained. The numbers of parameters are logged as well.
    Checkpoints carry the identity of their run (data checksums and scenario), and resuming one of
    another dataset or scenario is refused. So is a directory in which another process trains:
    ``mim train`` and MMDetection's own ``tools/train.py`` come to this hook without the lock that
    ``fzmm train`` takes.
    """

    priority = "HIGH"

    def __init__(self) -> None:
        self.recording = False
        """Whether the record in the work directory is of this start."""
        self._lock = contextlib.ExitStack()
        self._evaluated = False
        self._has_loaded = False

    def before_run(self, runner: Any) -> None:
        """Describe the run and refuse to continue another one.

        Raises:
            UserError: If the work directory or the checkpoint belong to another run, or another
                process trains there.
        """
        self._record: dict[str, Any] = {}
        if not isinstance(runner._train_loop, BaseLoop):  # a run that only tests
            return
        answer: list[Any] = [None, None]
        if runner.rank == 0:
            try:
                self._lock.enter_context(training_in(runner.work_dir))
                before = read_provenance(runner.work_dir)
                answer[0] = describe_run(runner.cfg, before)
                if runner._resume and before:
                    refuse_other_run(answer[0], before, f"the run in {runner.work_dir}")
                    _tell_other_length(runner, answer[0], before)
                    answer[0]["sessions"] = before.get("sessions", [])
                    answer[0]["peak_memory_mb"] = before.get("peak_memory_mb")
                    for entry in _KEPT:
                        if before.get(entry):
                            answer[0][entry] = before[entry]
            except UserError as error:
                answer[1] = str(error)

        broadcast_object_list(answer)
        if answer[1]:
            raise UserError(answer[1])
        self._record = answer[0]
        self._resumed_from = runner._load_from

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Check the identity that a checkpoint carries, or note what a training starts from.

        Raises:
            UserError: If it is of another dataset or scenario, or not the study's starting point.
        """
        if not getattr(self, "_record", None):  # a run that only tests
            return
        self._has_loaded = True
        if not runner._resume:
            self._record["loaded"] = describe_loaded(runner, checkpoint)
            return
        before = checkpoint.get("meta", {}).get(_KEY) if isinstance(checkpoint, dict) else None
        if before:
            where = f"checkpoint {self._resumed_from or 'in ' + runner.work_dir}"
            refuse_other_run(self._record, before, where)
            self._record.setdefault("loaded", before.get("loaded"))

    def before_train(self, runner: Any) -> None:
        """Write the record of this start.

        Raises:
            UserError: If the study starts from a checkpoint, and none was loaded.
        """
        if not self._has_loaded:
            refuse_unloaded(runner.cfg)
        everybodys = [name for names in all_gather_object(devices()) for name in names]
        if runner.rank != 0:
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        with as_released(runner.hooks):
            trainable, frozen = count_parameters(model)
            modules = list(frozen_modules(model))
        runner.logger.info(f"parameters: {trainable:,} trainable, {frozen:,} frozen")
        session = describe_session(runner.cfg, runner.iter, runner.world_size, everybodys)
        self._record.update(
            seed=runner.seed,
            parameters={"trainable": trainable, "frozen": frozen},
            frozen_modules=modules,
            finished=False,
            stop_reason=None,
            sessions=[*self._record.get("sessions", []), session],
        )

        self._record.setdefault("peak_memory_mb", None)
        write_provenance(runner.work_dir, self._record)
        self.recording = True

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Let the checkpoint carry the identity of its run."""
        if self._record:
            keys = ("study", "frozen_stages", "train", "val", "config", "recipe", "max_iters")
            checkpoint["meta"][_KEY] = {key: self._record.get(key) for key in (*keys, "loaded")}

    @property
    def record(self) -> dict[str, Any]:
        """What the run's record says so far."""
        return self._record

    def note(self, runner: Any, **entries: Any) -> None:
        """Add entries to the record, now and for as long as the run goes on."""
        self._record.update(entries)
        if self.recording:
            write_provenance(runner.work_dir, self._record)

    def after_train(self, runner: Any) -> None:
        """Note that the run is finished, and why if before its last iteration."""
        if runner.rank != 0:
            return
        self._note_peak_memory()
        self._record["finished"] = True
        self._record["stop_reason"] = runner.message_hub.get_info("stop_reason")
        write_provenance(runner.work_dir, self._record)

    def before_val(self, runner: Any) -> None:
        """What an evaluation takes is not training's."""
        if self.recording:
            self._note_peak_memory()
            self._evaluated = True

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Measure the peak of training again after an evaluation."""
        if self._evaluated:
            forget_peak()
            self._evaluated = False

    def _note_peak_memory(self) -> None:
        if self._evaluated:  # the peak since is the evaluation's
            return
        before = self._record.get("peak_memory_mb") or 0
        self._record["peak_memory_mb"] = max(peak_memory_mb(), before)

    def after_run(self, runner: Any) -> None:
        """Leave the work directory to others."""
        self._lock.close()


def _tell_other_length(runner: Any, here: dict[str, Any], before: dict[str, Any]) -> None:
    """A run may go on for longer than it was begun for; that it does is told and recorded."""
    new, old = here.get("max_iters"), before.get("max_iters")
    if None not in (new, old) and new != old:
        runner.logger.warning(f"resumed with train_cfg.max_iters {new} instead of {old}")


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """Return the numbers of parameters that are trained and that are frozen."""
    counts = [0, 0]
    for parameter in model.parameters():
        counts[not parameter.requires_grad] += parameter.numel()
    return counts[0], counts[1]
