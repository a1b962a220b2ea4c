from fzmm.engine.hooks.atomic_checkpoint_hook import AtomicCheckpointHook
from fzmm.engine.hooks.exact_resume_hook import ExactResumeHook

__all__ = ["AtomicCheckpointHook", "ExactResumeHook"]
