from fzmm.engine.hooks.atomic_checkpoint_hook import AtomicCheckpointHook
from fzmm.engine.hooks.bounded_history_hook import BoundedHistoryHook
from fzmm.engine.hooks.evaluation.predictions_hook import PredictionsHook
from fzmm.engine.hooks.evaluation.train_split_metric_hook import TrainSplitMetricHook
from fzmm.engine.hooks.evaluation.validation_loss_hook import ValidationLossHook
from fzmm.engine.hooks.exact_resume_hook import ExactResumeHook
from fzmm.engine.hooks.finite_loss_hook import FiniteLossHook
from fzmm.engine.hooks.freeze_hook import FreezeHook
from fzmm.engine.hooks.overfit_stop_hook import OverfitStopHook
from fzmm.engine.hooks.plateau_stop_hook import PlateauStopHook
from fzmm.engine.hooks.preemption_hook import PreemptionHook
from fzmm.engine.hooks.provenance_hook import ProvenanceHook
from fzmm.engine.hooks.training_time_hook import TrainingTimeHook

__all__ = [
    "AtomicCheckpointHook",
    "BoundedHistoryHook",
    "ExactResumeHook",
    "FiniteLossHook",
    "FreezeHook",
    "OverfitStopHook",
    "PlateauStopHook",
    "PredictionsHook",
    "PreemptionHook",
    "ProvenanceHook",
    "TrainSplitMetricHook",
    "TrainingTimeHook",
    "ValidationLossHook",
]
