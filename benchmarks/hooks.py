"""Measure what the hooks add to a training step.

    python benchmarks/hooks.py

A model of one weight is trained by MMEngine with its own hooks, and with each of this project's in
addition, interleaved, so that what remains is the hooks. Then the same with logs as long as at
iteration 300,000, which MMEngine copies at each step, and the agreement of two processes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
import uuid
from pathlib import Path

import numpy as np
import torch
import torch.multiprocessing
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

import fzmm.register  # noqa: F401

HOOKS = {
    "none": [],
    "ExactResumeHook": [{"type": "ExactResumeHook"}],
    "TrainingTimeHook": [{"type": "TrainingTimeHook"}],
    "PreemptionHook": [{"type": "PreemptionHook"}],
    "FiniteLossHook": [{"type": "FiniteLossHook"}],
    "BoundedHistoryHook": [{"type": "BoundedHistoryHook"}],
    "ProvenanceHook": [{"type": "ProvenanceHook"}],
}
HOOKS["all"] = [hook for hooks in HOOKS.values() for hook in hooks]
LOGGED = ("lr", "data_time", "time", "loss", "loss_rpn_cls", "loss_rpn_bbox", "loss_cls", "acc")


class Weight(BaseModel):
    """A model of one weight with Faster R-CNN's losses."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, inputs: torch.Tensor, mode: str = "loss") -> dict[str, torch.Tensor]:
        """Return losses named as a detector's."""
        loss = (self.weight * inputs).square().mean()
        return {"loss_rpn_cls": loss, "loss_rpn_bbox": loss, "loss_cls": loss, "acc": loss}


class LongHistory(Hook):
    """Make the logs as long as they are after ``length`` iterations."""

    priority = "HIGHEST"

    def __init__(self, length: int) -> None:
        self.length = length

    def before_train(self, runner) -> None:
        """Fill them."""
        values, counts = np.random.random(self.length), np.ones(self.length)
        for name in LOGGED:
            runner.message_hub.log_scalars[f"train/{name}"] = HistoryBuffer(values, counts)


def microseconds(hooks: list, folder: Path, steps: int, length: int = 0) -> tuple[float, float]:
    """Return the microseconds of a step with these hooks and the MB of a checkpoint."""
    model = Weight()
    runner = Runner(
        model=model,
        work_dir=str(folder / uuid.uuid4().hex),
        train_dataloader={
            "batch_size": 1,
            "dataset": [{"inputs": torch.ones(1)}] * 64,
            "sampler": {"type": "InfiniteSampler"},
            "collate_fn": {"type": "default_collate"},
        },
        train_cfg={"type": "IterBasedTrainLoop", "max_iters": steps},
        optim_wrapper=OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.0)),
        default_hooks={
            "logger": {"type": "LoggerHook", "interval": 50},
            "checkpoint": {"type": "AtomicCheckpointHook", "by_epoch": False, "interval": steps},
        },
        log_processor={"by_epoch": False, "window_size": 50},
        custom_hooks=[*([LongHistory(length)] if length else []), *hooks],
        randomness={"seed": 0},
        log_level="ERROR",
        experiment_name=uuid.uuid4().hex,
    )
    clock = _Clock()
    runner.register_hook(clock, priority="LOWEST")
    runner.train()
    size = next(Path(runner.work_dir).glob("iter_*.pth")).stat().st_size / 2**20
    return 1e6 * statistics.median(clock.steps), size


class _Clock(Hook):
    def __init__(self) -> None:
        self.steps: list[float] = []
        self._last: float | None = None

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        now = time.perf_counter()
        if self._last is not None:
            self.steps.append(now - self._last)
        self._last = now


def _agree(rank: int, port: int, repeats: int, result) -> None:
    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2
    )
    told = torch.zeros(1, dtype=torch.int32)
    started = time.perf_counter()
    for _ in range(repeats):
        torch.distributed.all_reduce(told)
    result.value = 1e6 * (time.perf_counter() - started) / repeats
    torch.distributed.destroy_process_group()


def main() -> None:
    """Measure and print JSON and a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--length", type=int, default=300_000, help="of the long logs")
    args = parser.parse_args()
    torch.set_num_threads(1)
    times: dict[str, list[float]] = {name: [] for name in HOOKS}
    long: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(args.repeats):
            for name, hooks in HOOKS.items():
                times[name].append(microseconds(hooks, Path(folder), args.steps)[0])
        for name in ("none", "BoundedHistoryHook"):
            long[name] = microseconds(HOOKS[name], Path(folder), 200, args.length)
    result = torch.multiprocessing.get_context("spawn").Value("d", 0.0)
    torch.multiprocessing.spawn(_agree, (29_617, 2_000, result), nprocs=2)
    base = statistics.median(times["none"])
    added = {
        name: round(statistics.median(values) - base, 1)
        for name, values in times.items()
        if name != "none"
    }
    print(
        json.dumps(
            {
                "machine": f"{platform.machine()}, {os.cpu_count()} cores",
                "torch": torch.__version__,
                "step_without_us": round(base, 1),
                "added_us": added,
                "spread_us": {n: round(max(v) - min(v), 1) for n, v in times.items()},
                "long_log_step_us": {name: round(value[0]) for name, value in long.items()},
                "long_log_checkpoint_mb": {
                    name: round(value[1], 1) for name, value in long.items()
                },
                "agreement_of_2_processes_us": round(result.value, 1),
            }
        )
    )
    print("| added to a step by | microseconds |\n|---|---|")
    for name, value in added.items():
        print(f"| {name} | {value:.0f} |")
    print(f"| agreement of two processes on stopping (gloo) | {result.value:.0f} |")
    print(f"\n| logs of {args.length:,} iterations | step, ms | checkpoint, MB |\n|---|---|---|")
    for name, (step, size) in long.items():
        print(f"| {'MMEngine' if name == 'none' else name} | {step / 1000:.2f} | {size:.1f} |")


if __name__ == "__main__":
    main()
