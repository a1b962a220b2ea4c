"""Writes runs of a study that tries several learning rates."""

from __future__ import annotations

import json
from pathlib import Path

from fzmm.scenarios import rate_name
from tests.analysis import synthetic


def write_rated(
    root: Path,
    trainable: int,
    rate: float,
    seed: int = 0,
    share: float | None = None,
    amount: str = "coco50",
    diverged: bool = False,
    dataset: str = "cells",
    **options,
) -> Path:
    """Write one run at one of several rates and return its folder.

    Args:
        root: Folder to put ``<config>/seed<k>`` into, or ``<config>/rate-search/seed<k>``.
        rate: The learning rate.
        share: Of the schedule, of a run that looks for the rate.
        diverged: Whether its loss became no number after a tenth of it.
        options: Of ``synthetic.write_run``.
    """
    scenario = "unfrozen" if trainable == 5 else f"frozen{4 - trainable}"
    name = f"{amount}_{scenario}_{rate_name(rate)}"
    part = 1 if share is None else share
    length = round(part * synthetic.LENGTH)
    shift = options.pop("shift", 0.0)
    steps, values, train = synthetic.curve(amount, trainable, shift, shift)
    steps = [round(part * step) for step in steps]
    folder = synthetic.write_run(
        root / name if share else root,
        amount,
        trainable,
        seed,
        evaluations=(steps, values, train),
        length=length,
        milestones=tuple(round(part * step) for step in synthetic.DECAYS),
        until=length // 10 if diverged else None,
        name="rate-search" if share else name,
        dataset=dataset,
        interval=1000,
        **options,
    )
    study = dict(rate=rate) | (dict(rate_search=share) if share else {})
    record = json.loads((folder / "provenance.json").read_text())
    record["config"] = f"configs/{dataset}/{name}.py"
    record["study"] |= study
    if diverged:
        record["stop_reason"] = "the loss is nan at iteration 147 (loss_cls), learning rate 0.02"
    (folder / "provenance.json").write_text(json.dumps(record))
    told = ", ".join(f"{key}={value}" for key, value in study.items())
    for config in folder.rglob("*.py"):
        text = config.read_text().replace("study = dict(", f"study = dict({told}, ")
        config.write_text(text.replace("lr=0.01", f"lr={rate}"))
    return folder
