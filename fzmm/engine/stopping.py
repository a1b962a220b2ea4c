"""Ending a training before its last iteration, for a reason that its record keeps."""

from __future__ import annotations

from typing import Any

_KEY = "stop_reason"


def stop_training(runner: Any, reason: str) -> None:
    """End the training after this iteration; it counts as finished.

    Args:
        runner: The runner of the training.
        reason: One line for the log, ``provenance.json`` and checkpoints.
    """
    runner.message_hub.update_info(_KEY, reason)
    runner.train_loop.stop_training = True
    left = 1 - runner.iter / runner.max_iters
    runner.logger.info(f"stopped: {reason}; {left:.0%} of the iterations are saved")


def stay_stopped(runner: Any) -> None:
    """Let a resumed training that had ended this way end at once."""
    if runner.message_hub.get_info(_KEY):
        runner.train_loop.stop_training = True
