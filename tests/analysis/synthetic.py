"""Writes work directories as MMEngine does, with curves that have known answers."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

PASS = 14658  # iterations of one pass over COCO100
LENGTH = 26 * PASS
DECAYS = (16 * PASS, 22 * PASS)
EVALUATIONS = {"coco100": 26, "coco50": 52, "coco25-1": 104, "coco25-2": 104, "coco25-3": 104}
FRACTIONS = {"coco100": 1.0, "coco50": 0.5, "coco25-1": 0.25, "coco25-2": 0.25, "coco25-3": 0.25}
IMAGES = {
    "coco100": 118287,
    "coco50": 59144,
    "coco25-1": 29572,
    "coco25-2": 29572,
    "coco25-3": 29572,
}

# Numbers of facts.md, in percentage points, for 0 to 5 trainable stages.
GAINS = {
    "coco100": (3.5, 3.4, 5.3, 6.3, 6.1, 6.0),
    "coco50": (2.3, 2.6, 3.6, 4.3, 4.6, 4.7),
    "coco25-1": (2.7, 1.8, 4.1, 3.3, 3.6, 3.5),
}
# Chosen so that spreads (7.1, 4.0, 1.5) and the best of all (37.7) are those of facts.md.
BEST = {
    "coco100": (30.6, 33.5, 36.2, 37.3, 37.6, 37.7),
    "coco50": (28.0, 29.9, 31.3, 31.8, 31.9, 32.0),
    "coco25-1": (23.9, 24.6, 25.1, 25.4, 25.2, 25.0),
}
GAPS = {
    "coco100": (0.0, 0.1, 0.2, 0.3, 0.3, 0.2),
    "coco50": (0.1, 1.0, 1.8, 2.3, 2.2, 2.0),
    "coco25-1": (0.4, 1.5, 2.2, 2.7, 2.6, 2.5),
}
HOURS = (47.0, 50.5, 54.0, 57.5, 60.5, 60.1)

CONFIG = """auto_scale_lr = dict(base_batch_size=8, enable=False)
model = dict(
    backbone=dict(
        depth=50,
        frozen_stages={frozen},
        init_cfg={init},
        type='ResNet'),
    neck=dict(type='FPN'),
    type='FasterRCNN')
optim_wrapper = dict(
    optimizer=dict(lr=0.01, momentum=0.9, type='SGD', weight_decay=0.0001),
    type='OptimWrapper')
param_scheduler = [
    dict(begin=0, by_epoch=False, end=1000, start_factor=0.001, type='LinearLR'),
    dict(by_epoch=False, gamma=0.1, milestones={milestones}, type='MultiStepLR'),
]
randomness = dict(seed={seed})
study = dict(data_amount={amount!r}, dataset={dataset!r}, fraction={fraction})
train_cfg = dict(max_iters={length}, type='IterBasedTrainLoop', val_interval={interval})
train_dataloader = dict(
    batch_size=2,
    dataset=dict(
        ann_file='annotations/{amount}.json',
        data_root='data/{dataset}/',
        type='CocoDataset'))
val_dataloader = dict(
    dataset=dict(ann_file='annotations/val.json', data_root='data/{dataset}/', type='CocoDataset'))
x = inf
"""


def curve(amount: str, trainable: int, shift: float = 0.0, last_shift: float = 0.0):
    """Return iterations, validation and training-split mAP with the known gain, best and gap."""
    key = "coco25-1" if amount.startswith("coco25") else amount
    gain, best, gap = (numbers[key][trainable] for numbers in (GAINS, BEST, GAPS))
    best, last = best + shift, best - gap + last_shift
    count = EVALUATIONS[amount]
    before, middle = count * 16 // 26, count * 22 // 26
    steps = [round((i + 1) * LENGTH / count) for i in range(count)]
    start = min(18.5, best - gain - 5)
    values = []
    for i in range(count):
        if i < before:  # a concave rise to the value before the decay
            values.append(start + (best - gain - start) * (1 - (1 - (i + 1) / before) ** 2))
        elif i < middle:  # the best right after the decay, then a fall of 80% of the gap
            values.append(best - 0.8 * (best - last) * (i - before) / (middle - before))
        else:  # the second decay slows the fall; the last evaluation has the rest of it
            share = (i - middle + 1) / (count - middle)
            values.append(best - (0.8 + 0.2 * share) * (best - last))
    train = [v + 1 + 14 * (i / count) ** 2 for i, v in enumerate(values)]
    return steps, [v / 100 for v in values], [v / 100 for v in train]


def write_run(
    root: Path,
    amount: str = "coco100",
    trainable: int = 5,
    seed: int = 0,
    dataset: str = "coco",
    evaluations=None,
    hours: float | None = None,
    shift: float = 0.0,
    last_shift: float = 0.0,
    interval: int = 5000,
    length: int = LENGTH,
    milestones: tuple[int, ...] = DECAYS,
    pretrained: bool = True,
    split: bool = True,
    provenance: bool = True,
    train_time: bool = False,
    until: int | None = None,
    stamp: str = "20260101_000000",
    name: str | None = None,
    sha256: str | None = None,
    finished: bool = True,
    devices: tuple[str, ...] = ("NVIDIA T4",) * 4,
) -> Path:
    """Write one run and return its folder.

    Args:
        root: Folder to put ``<config>/seed<k>`` into.
        evaluations: (iterations, mAP, training-split mAP); those of ``curve`` by default.
        hours: Training time; a row's ``time`` is more by its ``data_time``.
        until: Iteration at which the run was killed.
        devices: What its processes ran on.
    """
    frozen = 4 - trainable
    scenario = "unfrozen" if frozen == -1 else f"frozen{frozen}"
    name = name or (f"{amount}_{scenario}" if pretrained else f"{amount}_scratch")
    folder = root / name / f"seed{seed}"
    data = folder / stamp / "vis_data"
    data.mkdir(parents=True)
    evaluations = evaluations or curve(amount, trainable, shift, last_shift)
    hours = HOURS[trainable] if hours is None else hours
    step_time = hours * 3600 / length
    rows = []
    for step in [*range(interval, length + 1, interval)]:
        drops = sum(step > milestone for milestone in milestones)
        row = {
            "lr": 0.01 * 0.1**drops,
            "data_time": 0.02,
            "loss": 1.0 / (1 + step / 50000) + 1e-6 * seed,
            "time": step_time + 0.02,
            "iter": step,
            "memory": 3000 + 400 * trainable,
            "step": step,
        }
        if train_time:
            row["train_time"] = step_time * step
        rows.append((step, 0, row))
    for step, value, train in zip(*evaluations, strict=True):
        row = {"coco/bbox_mAP": value, "coco/bbox_mAP_50": value * 1.6}
        if split:
            row["train_split/bbox_mAP"] = train
        row.update(data_time=0.1, time=0.3, step=step)
        rows.append((step, 1, row))
    rows.sort(key=lambda item: item[:2])
    lines = [json.dumps(row) for step, _, row in rows if until is None or step <= until]
    for file in ("scalars.json", f"{stamp}.json"):
        (data / file).write_text("\n".join(lines) + "\n")
    init = "dict(checkpoint='torchvision://resnet50', type='Pretrained')" if pretrained else "None"
    config = CONFIG.format(
        frozen=frozen,
        init=init,
        milestones=list(milestones),
        seed=seed,
        amount=amount,
        dataset=dataset,
        fraction=FRACTIONS.get(amount, 1.0),
        length=length,
        interval=evaluations[0][0],
    )
    (data / "config.py").write_text(config)
    (folder / f"{name}.py").write_text(config)
    if provenance:
        images = IMAGES.get(amount, 800)
        record = {
            "schema": 1,
            "config": f"configs/{'fz' if dataset == 'coco' else dataset}/{name}.py",
            "frozen_stages": frozen,
            "seed": seed,
            "study": {
                "dataset": dataset,
                "data_amount": amount,
                "fraction": FRACTIONS.get(amount, 1.0),
            },
            "train": {
                "ann_file": f"data/{dataset}/annotations/{amount}.json",
                "sha256": sha256 or hashlib.sha256(amount.encode()).hexdigest(),
                "images": images,
                "annotations": round(7.27 * images),
                "categories": 80,
            },
            "val": {
                "ann_file": f"data/{dataset}/annotations/val.json",
                "sha256": "f" * 64,
                "images": 5000,
                "annotations": 36781,
                "categories": 80,
            },
            "initialisation": "torchvision://resnet50" if pretrained else "scratch",
            "parameters": {
                "trainable": 18_000_000 + 4_700_000 * trainable,
                "frozen": 23_500_000 - 4_700_000 * trainable,
            },
            "peak_memory_mb": 3000.0 + 400 * trainable,
            "finished": finished and until is None,
            "stop_reason": None,
            "sessions": [
                {
                    "started": "2026-01-01T00:00:00Z",
                    "from_iteration": 0,
                    "command": f"tools/train.py configs/fz/{name}.py",
                    "versions": {"python": "3.11.7", "torch": "2.13.0", "mmdet": "3.5.1"},
                    "devices": list(devices),
                    "world_size": 4,
                    "hostname": "node1",
                    "git_commit": "0123abc",
                    "git_dirty": False,
                }
            ],
        }
        (folder / "provenance.json").write_text(json.dumps(record))
    return folder


def scratch_curve():
    """From scratch: 4.5 first, 32.5 best at epoch index 66 (section 5.6)."""
    steps = [(i + 1) * PASS for i in range(70)]
    values = []
    for i in range(70):
        if i < 50:
            values.append(4.5 + (27.0 - 4.5) * (1 - (1 - i / 49) ** 3))
        else:
            values.append(32.5 - 0.02 * abs(66 - i))
    return steps, [v / 100 for v in values], [v / 100 for v in values]


def write_study(
    root: Path,
    amounts=("coco100", "coco50", "coco25-1"),
    repeats=True,
    variations=True,
    scratch=True,
    interval: int = 5000,
) -> Path:
    """Write the thesis's study: 18 scenarios and, if asked for, 12 + 12 + 1 further runs."""
    for amount in amounts:
        for k in range(6):
            write_run(root, amount, k, interval=interval)
    if repeats:
        for k in range(6):
            # best 0.4 pp, last 0.3 pp, time 2.9 h at most apart, the most at 3 trainable stages
            best, last, time = (0.4, 0.3, 2.9) if k == 3 else (0.2, 0.15, 1.0)
            write_run(
                root,
                "coco25-1",
                k,
                1,
                shift=-best,
                last_shift=-last,
                interval=interval,
                hours=HOURS[k] + time,
            )
            write_run(
                root,
                "coco25-1",
                k,
                2,
                shift=-best / 2,
                last_shift=-last / 2,
                interval=interval,
                hours=HOURS[k] + time / 2,
            )
    if variations:
        for k in range(6):
            # 0.5 pp of best mAP at most, at 4 trainable stages, 0.7 pp of last mAP at 0, 3.4 h at 5
            best, last = (0.5 if k == 4 else 0.2), (0.7 if k == 0 else 0.2)
            time = 3.4 if k == 5 else 1.0
            write_run(
                root,
                "coco25-2",
                k,
                shift=best,
                last_shift=last,
                interval=interval,
                hours=HOURS[k] + time,
            )
            write_run(
                root,
                "coco25-3",
                k,
                shift=best / 2,
                last_shift=last / 2,
                interval=interval,
                hours=HOURS[k] + time / 2,
            )
    if scratch:
        write_run(
            root,
            "coco100",
            5,
            evaluations=scratch_curve(),
            pretrained=False,
            length=70 * PASS,
            milestones=(50 * PASS, 58 * PASS),
            interval=interval,
            hours=160.0,
        )
    return root


def as_mobilenet(root: Path, stages: dict[int, int]) -> Path:
    """Let runs of a ResNet be runs of a backbone with a stem and seven stages.

    Args:
        root: Where they were written; the same folder is returned.
        stages: Trainable stages of the eight by those of the ResNet's five.
    """
    for folder in root.glob("*/seed*"):
        record = json.loads((folder / "provenance.json").read_text())
        trainable = stages[4 - record["frozen_stages"]]
        record["frozen_stages"] = 7 - trainable
        record["study"] |= {"trainable_stages": trainable, "stages": 8}
        (folder / "provenance.json").write_text(json.dumps(record))
        counts = f"study = dict(trainable_stages={trainable}, stages=8, "
        for config in folder.rglob("*.py"):
            text = config.read_text().replace("study = dict(", counts)
            config.write_text(re.sub(r"frozen_stages=-?\d", f"frozen_stages={7 - trainable}", text))
    return root
